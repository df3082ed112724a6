"""Failures mirrored to trackers: found again, commented, opened again, and never twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.runs.app import SERVICE
from services.runs.artifacts.operations import Store
from services.runs.trackers import rules
from services.runs.workers.operations import Place
from shared.contracts.auth import OrganizationDeleted
from tests.services.runs.conftest import Runs
from tests.services.runs.reports_support import assertion, case
from tests.services.runs.runs_support import queue, read, until
from tests.services.runs.suite_texts import suite_text
from tests.services.runs.trackers_desk import Desk
from tests.services.runs.trackers_support import SECRETS, SIMPLE, Remote, remotes
from tests.services.runs.workers_support import ROOT, STAND_IN
from tests.support.postgres import DatabaseUrls

ALL = ("github", "gitlab", "jira")


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[dict[str, Remote]]:
    async with remotes() as made:
        yield made


@pytest.fixture
async def desk(runs: Runs, urls: DatabaseUrls, served: dict[str, Remote]) -> Desk:
    desk = Desk(runs, urls, served)
    await desk.begin()
    return desk


def texts(remote: Remote) -> list[str]:
    """Everything that a tracker holds, an entry for each issue."""
    return [json.dumps(one) for one in remote.tickets]


async def test_a_failure_is_created_everywhere_once_and_then_commented(desk: Desk) -> None:
    await desk.configure(*ALL, FILE_ISSUES="github,gitlab,jira")
    first = await desk.fails(ci_url="https://ci.example/1", git_sha="abcdef1")
    async with desk.filing() as (clerk,):
        assert await desk.done() == []
        second = await desk.fails(case(assertions=[assertion(observed="Other words")]))
        clerk.bell.set()
        assert await desk.done() == []
    issue = await desk.issue()
    for provider in ALL:
        remote = desk.remotes[provider]
        (one,) = remote.tickets
        whole, (comment,) = json.dumps(one["body"]), map(json.dumps, one["comments"])
        assert issue["fingerprint"] in whole
        assert first in whole
        assert "https://ci.example/1" in whole
        assert f"/runs/{first}" in whole
        assert f"http://127.0.0.1:8000/api/v1/artifacts/{first}/pay/1-failure.png" in whole
        assert "Something went wrong" in whole
        assert second in comment
        assert "Other words" in comment
        assert one["title"] == issue["title"]
        assert "tripwire" in one["labels"]
    external = {one["provider"]: (one["key"], one["url"]) for one in issue["external"]}
    assert external == {
        "github": ("acme/shop#1", f"{desk.remotes['github'].base}/acme/shop/issues/1"),
        "gitlab": ("acme/shop#1", f"{desk.remotes['gitlab'].base}/acme/shop/-/issues/1"),
        "jira": ("WEB-1", f"{desk.remotes['jira'].base}/browse/WEB-1"),
    }
    for run_id, created in ((first, True), (second, False)):
        filed = {one["provider"]: one for one in await desk.filed(run_id)}
        assert set(filed) == set(ALL)
        for provider, (key, url) in external.items():
            assert filed[provider] == {
                "provider": provider,
                "key": key,
                "url": url,
                "case_id": "pay",
                "created": created,
            }


async def test_what_was_closed_is_opened_again_and_what_was_deleted_is_created_anew(
    desk: Desk,
) -> None:
    await desk.configure(*ALL, FILE_ISSUES="github,gitlab,jira")
    await desk.fails()
    async with desk.filing() as (clerk,):
        await desk.done()
        for remote in desk.remotes.values():
            remote.tickets[0]["closed"] = True
        await desk.fails()
        clerk.bell.set()
        await desk.done()
        closed = {name: remote.tickets[0]["closed"] for name, remote in desk.remotes.items()}
        assert closed == dict.fromkeys(ALL, False)
        assert desk.remotes["jira"].tickets[0]["status"] == "To Do"
        assert [len(remote.tickets[0]["comments"]) for remote in desk.remotes.values()] == [1] * 3
        desk.remotes["github"].tickets[0]["number"] = 77
        desk.remotes["github"].tickets[0]["body"] = "moved"
        await desk.fails()
        clerk.bell.set()
        await desk.done()
    assert [one["number"] for one in desk.remotes["github"].tickets] == [77, 2]
    external = {one["provider"]: one["key"] for one in (await desk.issue())["external"]}
    assert external["github"] == "acme/shop#2"


async def test_a_workflow_without_a_plain_way_leaves_an_issue_closed_and_commented(
    desk: Desk,
) -> None:
    await desk.configure("jira", FILE_ISSUES="jira")
    jira = desk.remotes["jira"]
    await desk.fails()
    async with desk.filing() as (clerk,):
        await desk.done()
        (one,) = jira.tickets
        one["closed"] = True
        offers = (SIMPLE[:1], SIMPLE, SIMPLE, SIMPLE)
        for comments, offer in enumerate(offers, 1):
            jira.workflow, jira.refuses = offer, comments == 2
            # The third: the transition is done, and nobody hears of it.
            jira.cut = {"transitions$"} if comments == 3 else set()
            run_id = await desk.fails()
            clerk.bell.set()
            if comments == 3:
                assert "502" in (await desk.failed())["reason"]
                await desk.hurry(clerk)
            assert await desk.done() == []
            assert len(one["comments"]) == comments
            assert (await desk.filed(run_id))[0]["key"] == "WEB-1"
            assert one["closed"] is (comments < 3)
        asked = [method for method, path in jira.asked if path.endswith("/transitions")]
        assert asked == ["GET", "GET", "POST", "GET", "POST"], "an open issue is left alone"


async def test_words_choose_the_trackers_and_what_has_no_credentials_is_left_out(
    desk: Desk,
) -> None:
    await desk.configure("gitlab", "jira", FILE_ISSUES="jira")
    nothing = await desk.fails(file_issues="none")
    await desk.fails(file_issues="tripwire")
    await desk.fails(file_issues="github")  # which has no credentials
    assert await desk.owed() == []
    assert (await read(desk.runs, desk.member, nothing))["report"]["issues_filed"] == []
    both = await desk.fails(file_issues="github,gitlab")
    default = await desk.fails()
    owed = [(row["provider"], row["run_id"]) for row in await desk.owed()]
    assert owed == [("gitlab", both), ("jira", default)]
    # Credentials that go before their turn comes: that one is dropped, the other is filed.
    await desk.configure(JIRA_TOKEN="")
    async with desk.filing():
        assert await desk.done() == ["Jira is not configured any more"]
    assert len(desk.remotes["gitlab"].tickets) == 1
    ((entry),) = await desk.filed(default)
    assert (entry["key"], entry["error"]) == (None, "Jira is not configured any more")
    assert desk.remotes["jira"].asked == desk.remotes["github"].asked == []


async def test_what_is_down_is_told_once_when_it_is_up_again(desk: Desk) -> None:
    await desk.configure("github", "jira", FILE_ISSUES="github,jira")
    github, jira = desk.remotes["github"], desk.remotes["jira"]
    github.faults = [(503, {}), (429, {"retry-after": "700"}), (403, {"retry-after": "800"})]
    jira.faults = [(502, {})]
    await desk.fails()
    others = await desk.fails(case("search"))
    async with desk.filing() as (clerk,):
        await until(partial(_both_tried, desk), "not tried")
        row = (await desk.owed("provider = 'github'"))[0]
        assert row["reason"] == "GitHub answered 503"
        # Whatever else the tracker is owed waits as long, and is not tried in between.
        assert all(each["waits"] > 5 for each in await desk.owed("done_at IS NULL"))
        for least in (690, 790):
            await desk.runs.sql.execute(
                """
                UPDATE runs.tracker_filing SET due_at = CASE WHEN position = $2
                       THEN clock_timestamp() ELSE clock_timestamp() + interval '1 h' END
                 WHERE org_id = $1 AND done_at IS NULL
                """,
                desk.org,
                row["position"],
            )
            clerk.bell.set()
            await until(partial(_waits, desk, row["position"], least), "no longer wait")
        await desk.hurry(clerk)
        assert await desk.done() == []
    assert [len(remote.tickets) for remote in (github, jira)] == [2, 2]
    assert [one["comments"] for one in github.tickets + jira.tickets] == [[]] * 4
    assert [one["created"] for one in await desk.filed(others)] == [True, True]


async def _both_tried(desk: Desk) -> bool:
    rows = await desk.owed("attempts >= 1 AND reason <> ''")
    return len({row["provider"] for row in rows}) == 2


async def _waits(desk: Desk, position: int, least: float) -> bool:
    rows = await desk.owed(f"position = {position}")
    return rows[0]["waits"] > least and "too many requests" in rows[0]["reason"]


async def test_credentials_that_do_not_hold_are_said_so_and_tried_rarely(desk: Desk) -> None:
    await desk.configure("github", "gitlab", FILE_ISSUES="github,gitlab", GITHUB_TOKEN="wrong")
    run_id = await desk.fails()
    assert (await read(desk.runs, desk.member, run_id))["status"] == "failed"
    async with desk.filing() as (clerk,):
        row = await desk.failed()
        assert row["reason"] == "GitHub answered 401: the credentials are not valid"
        assert row["waits"] > 3000
        for _ in range(3):
            before = (await desk.owed("provider = 'github'"))[0]["attempts"]
            await desk.hurry(clerk)

            async def tried(before: int = before) -> bool:
                now = (await desk.owed("provider = 'github'"))[0]
                is_settled = now["done_at"] is not None or now["waits"] > 3000
                return bool(is_settled and now["attempts"] > before)

            await until(tried, "not tried again")
        reasons = await desk.done()
    assert reasons == ["GitHub answered 401: the credentials are not valid"]
    filed = {one["provider"]: one.get("error") for one in await desk.filed(run_id)}
    assert filed == {"github": reasons[0], "gitlab": None}


async def test_two_clerks_make_one_issue_of_the_same_failure_seen_twice(desk: Desk) -> None:
    await desk.configure(*ALL, FILE_ISSUES="github,gitlab,jira")
    for remote in desk.remotes.values():
        remote.lags = True  # nothing that is created is found, so only memory helps
        remote.held = asyncio.Event()
    await desk.fails()
    await desk.fails()
    async with desk.filing(2) as clerks:

        async def created() -> bool:
            return all(remote.tickets for remote in desk.remotes.values())

        await until(created, "not created")
        for clerk in clerks:
            clerk.bell.set()
        for remote in desk.remotes.values():
            assert remote.held is not None
            remote.held.set()
        assert await desk.done() == []
    for remote in desk.remotes.values():
        (one,) = remote.tickets
        assert len(one["comments"]) == 1


@pytest.mark.parametrize("provider", ALL)
async def test_what_was_done_though_nobody_heard_is_not_done_twice(
    desk: Desk, provider: str
) -> None:
    await desk.configure(provider, FILE_ISSUES=provider)
    remote = desk.remotes[provider]
    remote.cut, remote.lags = {r"issues?$"}, True
    first = await desk.fails()
    async with desk.filing(lag_s=30) as (clerk,):
        row = await desk.failed()
        assert "502" in row["reason"]
        assert len(remote.tickets) == 1
        await desk.hurry(clerk)
        if provider == "github":  # whose list shows it though its search does not
            await desk.done()
        else:

            async def careful() -> bool:
                rows = await desk.owed("reason LIKE 'It may have been%'")
                return bool(rows)

            await until(careful, "not careful")
            remote.lags = False
            await desk.hurry(clerk)
            await desk.done()
        (entry,) = await desk.filed(first)
        assert entry["created"] is True
        remote.lags, remote.cut = False, {r"(comments?|notes)$"}
        await desk.fails()
        clerk.bell.set()
        await desk.failed()
        await desk.hurry(clerk)
        await desk.done()
    (one,) = remote.tickets
    assert len(one["comments"]) == 1


async def test_a_clerk_that_stops_in_between_leaves_no_second_issue(desk: Desk) -> None:
    await desk.configure("github", FILE_ISSUES="github")
    remote = desk.remotes["github"]
    remote.held = asyncio.Event()
    await desk.fails()
    async with desk.filing():

        async def created() -> bool:
            return bool(remote.tickets)

        await until(created, "not created")
    assert [row["attempts"] for row in await desk.owed("done_at IS NULL")] == [1]
    remote.held.set()
    async with desk.filing(lag_s=30):
        assert await desk.done() == []
    assert len(remote.tickets) == 1
    assert remote.tickets[0]["comments"] == []


async def test_an_address_inside_is_not_asked(desk: Desk) -> None:
    await desk.configure("gitlab", "jira", FILE_ISSUES="gitlab,jira")
    await desk.fails()
    async with desk.filing(private=False):

        async def both() -> bool:
            return len(await desk.owed("reason <> ''")) == 2

        await until(both, "not refused")
    for row in await desk.owed():
        assert "may not be reached" in row["reason"]
        assert "GUILDHALL_URL_ALLOW" in row["reason"]
        assert row["waits"] > 3000
    assert desk.remotes["gitlab"].asked == desk.remotes["jira"].asked == []


async def test_secrets_are_seen_by_their_tracker_alone(
    desk: Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    await desk.configure(*ALL, FILE_ISSUES="github,gitlab,jira")
    desk.remotes["github"].faults = [(422, {})]
    desk.remotes["jira"].faults = [(500, {})]
    run_id = await desk.fails()
    async with desk.filing() as (clerk,):
        await desk.failed()
        await desk.hurry(clerk)
        reasons = await desk.done()
    assert reasons == ["GitHub answered 422: it does not take this issue"]
    held = await desk.shown_settings()
    run = await read(desk.runs, desk.member, run_id)
    seen: list[Any] = [held, run, await desk.issue(), [dict(row) for row in await desk.owed()]]
    accounts = rules.configured(
        dict.fromkeys(("GITHUB_REPO", "GITLAB_PROJECT", "JIRA_BASE", "JIRA_PROJECT"), "x")
        | {"JIRA_EMAIL": "x"}
        | dict(zip(("GITHUB_TOKEN", "GITLAB_TOKEN", "JIRA_TOKEN"), SECRETS, strict=True)),
        "https://api.github.com",
    )
    seen += [repr(accounts), *capfd.readouterr()]
    outbox = await desk.runs.sql.fetch("SELECT payload FROM runs.outbox")
    seen += [row["payload"] for row in outbox]
    seen += [each for remote in desk.remotes.values() for each in texts(remote)]
    assert len(accounts) == 3
    for secret in SECRETS:
        assert secret not in "".join(map(str, seen))


async def test_a_worker_mirrors_what_its_runs_find(desk: Desk, tmp_path: Path) -> None:
    await desk.configure("gitlab", "jira", FILE_ISSUES="gitlab,jira")
    desk.remotes["jira"].faults = [(503, {})] * 3
    words = ("case pay failed", "end failed")
    text = suite_text("mirrored") + "".join(f"# do: {word}\n" for word in words)
    await desk.runs.add_suite(desk.org, "mirrored.tripwire.yaml", text, suite_id="mirrored")
    run_id = await queue(desk.runs, desk.member, suite="mirrored.tripwire.yaml")
    place = Place(STAND_IN, tmp_path / "runs", ROOT)
    async with SERVICE.labour({**desk.runs.resources, Place: place}, desk.runs.database):

        async def mirrored() -> bool:
            run = await read(desk.runs, desk.member, run_id)
            return run["status"] == "failed" and len(await desk.owed("reason <> ''")) == 1

        await until(mirrored, "not mirrored, or not ended because a tracker is down")
        await until(partial(desk.filed, run_id), "not in the report")

        async def kept() -> bool:
            store: Store = desk.runs.resources[Store]
            content = await store.get(desk.org, run_id, "report.json", limit=1_000_000)
            report = (await read(desk.runs, desk.member, run_id))["report"]
            return bool(json.loads(content) == report)

        await until(kept, "the file says otherwise")
    (one,) = desk.remotes["gitlab"].tickets
    assert run_id in one["body"]
    assert [one["provider"] for one in (await desk.issue())["external"]] == ["gitlab"]
    assert [row["provider"] for row in await desk.owed("done_at IS NULL")] == ["jira"]


async def test_an_organization_is_forgotten_with_what_is_owed(desk: Desk) -> None:
    await desk.configure("github", FILE_ISSUES="github")
    await desk.fails()
    async with desk.filing():
        await desk.done()
    await desk.fails()
    await desk.runs.tell(OrganizationDeleted(org_id=desk.org))
    for table in ("tracker_filing", "tracker_link"):
        query = f"SELECT count(*) FROM runs.{table} WHERE org_id = $1"  # noqa: S608
        assert await desk.runs.sql.fetchval(query, desk.org) == 0
