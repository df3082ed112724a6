"""Notifications: owed when a run ends, delivered once to each channel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runs.app import SERVICE
from services.runs.deliveries import operations, rules
from services.runs.deliveries.operations import Courier
from services.runs.runs import operations as ending
from services.runs.runs.models import Finished, Held, RunRow, Status
from services.runs.runs.operations import Endings
from services.runs.settings import RunsSettings
from services.runs.workers.models import Place
from shared.contracts.auth import OrganizationDeleted
from shared.fetch import Fetcher
from shared.principal import Principal, Role
from shared.vault import Vault
from tests.services.runs.channels_support import (
    SLACK_PATH,
    STRANGERS_WORDS,
    TEAMS_PATH,
    Channels,
    channels_open,
)
from tests.services.runs.conftest import Runs, suite_text
from tests.services.runs.runs_support import read, report_of, until
from tests.services.runs.workers_support import ROOT, STAND_IN

NAMES = ("slack", "teams", "webhook")
HOSTILE = "<!channel> [pay](https://evil.test) *now* & <https://evil.test|here>"


@pytest.fixture
async def channels() -> AsyncIterator[Channels]:
    async with channels_open() as channels:
        yield channels


@pytest.fixture
async def admin(runs: Runs, channels: Channels) -> Principal:
    """The administrator of an organization that has all channels."""
    admin = runs.member(role=Role.ADMIN)
    await configure(runs, admin, **channels.settings)
    return admin


async def configure(runs: Runs, admin: Principal, **values: str) -> None:
    answer = await runs.put("settings", admin, values)
    assert answer.status_code == 200, answer.text


def courier(runs: Runs) -> Courier:
    resources = runs.resources
    return Courier(runs.database, resources[RunsSettings], resources[Vault], resources[Fetcher])


async def end(runs: Runs, org: str, status: Status, trigger: str = "plan", **more: Any) -> str:
    """End a run like that, as its worker would."""
    lease = "now() + interval '1 hour'"
    run_id = await runs.add_run(org, trigger=trigger, suite_name="Sign <up>", **more)
    await runs.sql.execute(
        f"UPDATE runs.run SET status = 'running', worker = 'wrk', fence = 1, attempt = 1, "  # noqa: S608
        f"started_at = now(), lease_until = {lease} WHERE id = $1",
        run_id,
    )
    report = report_of(run_id, {"log-in": "passed", **{f"c{n}": "failed" for n in range(7)}})
    first = report["cases"][1]
    first["title"] = HOSTILE
    first["assertions"] = [
        {
            "id": "a1",
            "assert": "says hi",
            "verdict": "failed",
            "expected": "hi",
            "observed": HOSTILE,
        }
    ]
    held = Held(org, run_id, "wrk", 1)
    await ending.finish(
        runs.database, held, Finished(status, report), "", ended=runs.resources[Endings]
    )
    return run_id


async def owed_to(runs: Runs, org: str) -> list[dict[str, Any]]:
    rows = await runs.sql.fetch(
        "SELECT *, due_at - clock_timestamp() AS due_in FROM runs.delivery WHERE org_id = $1 "
        "ORDER BY channel, run_id",
        org,
    )
    return [dict(row) for row in rows]


async def all_done(runs: Runs, org: str) -> list[dict[str, Any]]:
    """Wait until nothing is owed any more."""

    async def done() -> list[dict[str, Any]]:
        rows = await owed_to(runs, org)
        return rows if all(row["done_at"] for row in rows) else []

    found: list[dict[str, Any]] = await until(done, "something is owed still")
    return found


async def tried(runs: Runs, org: str, attempts: int) -> list[dict[str, Any]]:
    """Wait until all that is owed was tried so often and waits."""

    async def waits() -> list[dict[str, Any]]:
        rows = await owed_to(runs, org)
        is_so = all(row["attempts"] == attempts and row["reason"] for row in rows)
        return rows if is_so else []

    found: list[dict[str, Any]] = await until(waits, "not tried")
    return found


async def make_due(runs: Runs, org: str, attempts: int | None = None) -> None:
    await runs.sql.execute(
        "UPDATE runs.delivery SET due_at = now(), attempts = coalesce($2, attempts) "
        "WHERE org_id = $1",
        org,
        attempts,
    )


async def test_failures_of_plans_are_owed_and_everything_on_demand(
    runs: Runs, admin: Principal
) -> None:
    org = admin.org
    for trigger in ("api", "ci", "rerun"):
        await end(runs, org, Status.FAILED, trigger)
    await end(runs, org, Status.PASSED)
    await end(runs, org, Status.CANCELLED)
    assert await owed_to(runs, org) == []
    bad = [await end(runs, org, status) for status in (Status.FAILED, Status.BROKEN)]
    bad.append(await end(runs, org, Status.INTERRUPTED))
    rows = await owed_to(runs, org)
    assert {(row["run_id"], row["channel"]) for row in rows} == {
        (run_id, name) for run_id in bad for name in NAMES
    }
    assert len(rows) == 9
    await configure(runs, admin, NOTIFY_ON="always", TEAMS_WEBHOOK_URL="", SLACK_WEBHOOK_URL="")
    good = await end(runs, org, Status.PASSED)
    assert [r["channel"] for r in await owed_to(runs, org) if r["run_id"] == good] == ["webhook"]
    other = runs.member().org
    await end(runs, other, Status.FAILED)
    assert await owed_to(runs, other) == []
    await runs.tell(OrganizationDeleted(org_id=org))
    assert await owed_to(runs, org) == []


async def test_each_channel_is_told_in_its_own_words(
    runs: Runs, admin: Principal, channels: Channels
) -> None:
    run_id = await end(runs, admin.org, Status.FAILED, git_sha="abc")
    async with courier(runs):
        rows = await all_done(runs, admin.org)
    assert [(row["attempts"], row["reason"]) for row in rows] == [(1, "")] * 3
    [told] = channels.of("webhook")
    assert set(told) == {"event", "run", "summary", "failures", "url"}
    assert told["event"] == "run.finished"
    assert (told["run"]["id"], told["run"]["status"]) == (run_id, "failed")
    assert told["run"]["finished_at"].endswith("Z")
    assert told["summary"]["failed"] == 7
    assert [each["case_id"] for each in told["failures"]] == [f"c{n}" for n in range(5)]
    assert told["failures"][0]["observed"] == HOSTILE
    assert told["url"] == f"http://127.0.0.1:8000/api/v1/runs/{run_id}"
    [slack], [teams] = channels.of("slack"), channels.of("teams")
    assert run_id in json.dumps(slack)
    assert run_id in json.dumps(teams)
    texts = [block["text"]["text"] for block in slack["blocks"][1:]] + [slack["text"]]
    # Nothing of what a page said is a link, or a call to everybody.
    assert not any("<!channel>" in text or "<https://evil" in text for text in texts)
    assert any("&lt;!channel&gt;" in text for text in texts)
    kinds = {each["type"] for each in teams["attachments"][0]["content"]["body"]}
    assert kinds == {"RichTextBlock"}, "which reads no Markdown"


async def test_what_is_down_is_told_once_when_it_is_up(
    runs: Runs,
    admin: Principal,
    channels: Channels,
    capfd: pytest.CaptureFixture[str],
) -> None:
    org = admin.org
    channels.fail("slack", 503)
    channels.fail("teams", 429, retry_after="120")
    channels.fail("webhook", 302, location="http://169.254.169.254/")
    await end(runs, org, Status.BROKEN)
    async with courier(runs) as working:
        rows = {row["channel"]: row for row in await tried(runs, org, 1)}
        assert channels.taken == {}
        assert 5 < rows["slack"]["due_in"].total_seconds() <= 12
        assert 110 < rows["teams"]["due_in"].total_seconds() <= 120, "as it was asked for"
        assert rows["teams"]["reason"] == "It answered 429."
        await make_due(runs, org)
        working.bell.set()
        rows = {row["channel"]: row for row in await all_done(runs, org)}
        assert {name: row["attempts"] for name, row in rows.items()} == dict.fromkeys(NAMES, 2)
    assert {name: len(channels.of(name)) for name in NAMES} == dict.fromkeys(NAMES, 1)
    assert channels.ids == [rows["webhook"]["id"]]
    said = capfd.readouterr()
    everything = f"{rows}{said.out}{said.err}"
    for secret in (SLACK_PATH, TEAMS_PATH, STRANGERS_WORDS):
        assert secret not in everything


async def test_what_is_of_no_use_is_dropped_with_its_reason(
    runs: Runs, admin: Principal, channels: Channels
) -> None:
    org = admin.org
    channels.fail("slack", 404)
    channels.fail("teams", 500)
    gone = await end(runs, org, Status.FAILED)
    await make_due(runs, org, attempts=7)
    await runs.sql.execute(
        "UPDATE runs.delivery SET attempts = 0 WHERE org_id = $1 AND channel = 'slack'", org
    )
    await configure(runs, admin, WEBHOOK_URL="")
    async with courier(runs) as working:
        rows = {row["channel"]: row for row in await all_done(runs, org)}
        assert {name: (row["attempts"], row["reason"]) for name, row in rows.items()} == {
            "slack": (1, "It answered 404."),
            "teams": (8, "It answered 500."),
            "webhook": (8, "The channel is not configured any more."),
        }
        await runs.sql.execute("DELETE FROM runs.run WHERE id = $1", gone)
        await runs.sql.execute(
            "UPDATE runs.delivery SET done_at = NULL, due_at = now() WHERE org_id = $1", org
        )
        working.bell.set()
        rows_now = await all_done(runs, org)
        assert {row["reason"] for row in rows_now} == {"The run was deleted."}
    assert channels.taken == {}
    # What is done goes after a day, what is owed stays.
    await runs.sql.execute(
        "UPDATE runs.delivery SET done_at = now() - interval '25 hours' "
        "WHERE org_id = $1 AND channel <> 'slack'",
        org,
    )
    await operations.sweep(runs.database)
    assert [row["channel"] for row in await owed_to(runs, org)] == ["slack"]


async def test_several_couriers_tell_each_run_once_and_no_organization_holds_up_others(
    runs: Runs, admin: Principal, channels: Channels
) -> None:
    await configure(runs, admin, SLACK_WEBHOOK_URL="", TEAMS_WEBHOOK_URL="")
    other = runs.member(role=Role.ADMIN)
    await configure(runs, other, **channels.settings)
    ended = [await end(runs, admin.org, Status.FAILED) for _ in range(8)]
    ended.append(await end(runs, other.org, Status.FAILED))
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(courier(runs))
        await all_done(runs, admin.org)
        await all_done(runs, other.org)
    told = [message["run"]["id"] for message in channels.of("webhook")]
    assert sorted(told) == sorted(ended)
    assert len(set(channels.ids)) == len(channels.ids) == 9


async def test_what_a_courier_had_in_hand_is_told_by_another(runs: Runs, admin: Principal) -> None:
    # Somebody who takes the connection, and never answers.
    hung = asyncio.Event()
    held = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.set()
        await hung.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await configure(
        runs,
        admin,
        SLACK_WEBHOOK_URL="",
        TEAMS_WEBHOOK_URL="",
        WEBHOOK_URL=f"http://127.0.0.1:{port}/",
    )
    await end(runs, admin.org, Status.FAILED)
    async with courier(runs):
        async with asyncio.timeout(20):
            await held.wait()
        [row] = await owed_to(runs, admin.org)
        assert row["attempts"] == 1
        assert row["due_in"].total_seconds() > 30, "leased"
    hung.set()
    server.close()
    await server.wait_closed()
    [row] = await owed_to(runs, admin.org)
    assert (row["attempts"], row["done_at"]) == (0, None)
    assert row["due_in"].total_seconds() <= 0, "given back"


async def test_a_worker_tells_of_the_runs_that_it_ends(
    runs: Runs, admin: Principal, channels: Channels, tmp_path: Path
) -> None:
    key = "sk-ant-of-this-organization"
    await configure(runs, admin, ANTHROPIC_API_KEY=key, FILE_ISSUES="none")
    words = ("tell", "case pay failed", "end failed")
    text = suite_text("sign-up") + "".join(f"# do: {word}\n" for word in words)
    await runs.add_suite(admin.org, text=text)
    run_id = await runs.add_run(admin.org, trigger="plan")
    place = Place(STAND_IN, tmp_path / "runs", ROOT)
    async with SERVICE.labour({**runs.resources, Place: place}, runs.database):
        await until(lambda: owed_to(runs, admin.org), "nothing is owed")
        await all_done(runs, admin.org)
    assert [len(channels.of(name)) for name in NAMES] == [1, 1, 1]
    assert channels.of("webhook")[0]["failures"][0]["case_id"] == "pay"
    run = await read(runs, admin, run_id)
    assert run["report"]["issues_filed"] == [], "as the organization says"
    [job] = [json.loads(each["message"]) for each in run["events"] if each["kind"] == "log"]
    assert job["has_model"], "under the organization's own key"
    assert key not in json.dumps(run), "which its process never has"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["cases", "verdict", "title", "assertions", "issue", "id", "x"]),
            inner | st.just("failed"),
        )
    ),
    max_leaves=10,
)


@settings(max_examples=25)
@given(report=JSON, status=st.sampled_from(sorted(Status)), channel=st.sampled_from(NAMES))
def test_no_report_makes_a_fault(report: Any, status: Status, channel: str) -> None:
    now = datetime.now(UTC)
    values: dict[str, Any] = dict.fromkeys(RunRow.__slots__)
    values |= {"id": f"run_{uuid4().hex}", "suite_name": "x" * 400, "status": status}
    values |= {"queued_at": now, "trigger": "plan"}
    message = json.loads(rules.message(channel, RunRow(**values), report, "http://x.test/r"))
    assert message
    if channel == "slack":
        assert all(0 < len(each["text"]["text"]) <= 3000 for each in message["blocks"])
        assert len(message["blocks"][0]["text"]["text"]) <= 150


@given(attempt=st.integers(1, 12), later=st.floats(0, 3600))
def test_attempts_are_eight_over_hours(attempt: int, later: float) -> None:
    outcome = rules.outcome_of(attempt, "It answered 500.", is_final=False, later_s=later)
    assert (outcome.delay_s is None) is (attempt >= 8)
    assert outcome.delay_s is None or outcome.delay_s >= later
    assert rules.outcome_of(attempt, "", is_final=True, later_s=later).delay_s is None
    assert 4 * 3600 < sum(rules.DELAYS) < 12 * 3600
