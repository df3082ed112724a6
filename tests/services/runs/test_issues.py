"""The board as people use it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from services.runs.erasures import operations as erasures
from tests.services.runs.conftest import Runs, new_org
from tests.services.runs.reports_support import case, file, report


async def page(runs: Runs, org: str, **query: Any) -> dict[str, Any]:
    answer = await runs.get("issues", runs.member(org), params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def ids(runs: Runs, org: str, **query: Any) -> list[str]:
    return [item["id"] for item in (await page(runs, org, **query))["items"]]


async def test_a_list_is_a_page_seen_last_first(runs: Runs, org: str) -> None:
    for name in ("pay", "ship", "find"):
        await file(runs, org, report(case(name)))
    await file(runs, org, report(case("pay")))
    body = await page(runs, org)
    assert (body["total"], body["limit"], body["offset"]) == (3, 50, 0)
    assert [item["id"] for item in body["items"]] == ["TW-1", "TW-3", "TW-2"]
    assert body["items"][0].keys() >= {
        *("id", "title", "severity", "status", "suite_id", "case_id", "fingerprint"),
        *("occurrences", "first_seen", "last_seen", "run_id", "external"),
    }
    assert "body_md" not in body["items"][0]
    assert await ids(runs, org, limit=1, offset=1) == ["TW-3"]
    assert await ids(runs, org, limit=0) == []
    pages = [(2, 0), (2, 2), (2, 4), (0, 0), (3, 0), (50, 1)]
    totals = {(await page(runs, org, limit=most, offset=at))["total"] for most, at in pages}
    assert totals == {3}


async def test_a_list_can_be_filtered_and_searched(runs: Runs, org: str) -> None:
    member = runs.member(org)
    await file(runs, org, report(case("pay", title="Straße zahlen"), case("ship"), case("find")))
    await runs.patch("issues/TW-2", member, {"status": "closed", "title": "100% _gone_"})
    assert await ids(runs, org, status="closed") == ["TW-2"]
    assert sorted(await ids(runs, org, status="open")) == ["TW-1", "TW-3"]
    assert await ids(runs, org, q="STRASSE") == ["TW-1"]
    assert await ids(runs, org, q="tw-3") == ["TW-3"]
    assert await ids(runs, org, q="0% _G") == ["TW-2"]
    assert await ids(runs, org, q="%") == ["TW-2"]
    assert len(await ids(runs, org, q="checkout.tripwire")) == 3
    assert await ids(runs, org, q="gone", status="open") == []
    assert (await page(runs, org, q="nothing"))["total"] == 0


@pytest.mark.parametrize(
    "query", [{"status": "done"}, {"limit": -1}, {"offset": "x"}, {"q": "a\0"}, {"q": "x" * 201}]
)
async def test_bad_queries_are_refused(runs: Runs, org: str, query: dict[str, Any]) -> None:
    answer = await runs.get("issues", runs.member(org), params=query)
    assert (answer.status_code, answer.json()["type"]) == (422, "validation_error")
    (named,) = answer.json()["error"]["details"]
    assert next(iter(query)) in named["path"]


async def test_a_change_is_noted_with_who_did_it(runs: Runs, org: str) -> None:
    await file(runs, org, report(case()))
    member = runs.member(org)
    wanted = {"status": "acknowledged", "title": " Pay ", "severity": "low", "body_md": "# Mine"}
    answer = await runs.patch("issues/TW-1", member, wanted)
    assert answer.status_code == 200, answer.text
    issue = answer.json()
    assert (issue["status"], issue["title"]) == ("acknowledged", "Pay")
    assert (issue["severity"], issue["body_md"]) == ("low", "# Mine")
    noted = {one["kind"]: one for one in issue["activity"][1:]}
    assert noted.keys() == {"status", "title", "severity", "body_md"}
    assert {one["actor"] for one in noted.values()} == {member.account}
    assert (noted["status"]["from"], noted["status"]["to"]) == ("open", "acknowledged")
    assert (noted["body_md"]["from"], noted["body_md"]["to"]) == (None, None)
    # What is as it was already is no change.
    again = await runs.patch("issues/TW-1", member, wanted | {"status": None})
    assert again.json() == issue
    assert (await runs.patch("issues/TW-1", member, {})).json() == issue


@pytest.mark.parametrize(
    "wanted",
    [
        {"status": "done"},
        {"status": "Open"},
        {"severity": "blocker"},
        {"title": ""},
        {"title": "  "},
        {"title": "x" * 301},
        {"title": 3},
        {"title": "a\0b"},
        {"body_md": ["x"]},
        {"body_md": "x" * 65_537},
    ],
)
async def test_other_words_are_refused_and_change_nothing(
    runs: Runs, org: str, wanted: dict[str, Any]
) -> None:
    await file(runs, org, report(case()))
    before = (await runs.get("issues/TW-1", runs.member(org))).json()
    answer = await runs.patch("issues/TW-1", runs.member(org), wanted)
    assert (answer.status_code, answer.json()["type"]) == (422, "validation_error")
    assert next(iter(wanted)) in answer.json()["error"]["details"][0]["path"]
    assert (await runs.get("issues/TW-1", runs.member(org))).json() == before


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b'{"title": NaN}', 400),
        (b'{"title": "\\ud800"}', 400),
        (b'{"title": 1e400}', 422),
        (b"[" * 100_000, 400),
        (b"[]", 422),
        (b'"x"', 422),
    ],
)
async def test_what_is_no_change_is_refused(
    runs: Runs, org: str, content: bytes, status: int
) -> None:
    await file(runs, org, report(case()))
    headers = {"content-type": "application/json"}
    answer = await runs.send(
        "PATCH", "issues/TW-1", runs.member(org), content=content, headers=headers
    )
    assert answer.status_code == status, answer.text


async def closings(runs: Runs, org: str) -> list[dict[str, Any]]:
    rows = await runs.sql.fetch(
        "SELECT payload FROM runs.outbox WHERE kind = 'issue.closed.v1' ORDER BY id"
    )
    events = [json.loads(row["payload"]) for row in rows]
    return [event for event in events if event["org_id"] == org]


async def test_closing_tells_what_was_found_out(runs: Runs, org: str) -> None:
    errors = [{"method": "POST", "url": "https://shop.example/api/pay", "status": 500}]
    cause = {"suspected_cause": "The price list was empty"}
    await file(runs, org, report(case(network_errors=errors, root_cause=cause)))
    await file(runs, org, report(case(network_errors=errors)))
    member = runs.member(org)
    await runs.post("issues/TW-1/comments", member, {"body": "Filled the price list"})
    await runs.patch("issues/TW-1", member, {"status": "acknowledged"})
    await runs.patch("issues/TW-1", member, {"status": "closed", "title": "Paying"})
    (event,) = await closings(runs, org)
    assert (event["issue_id"], event["title"], event["suite"]) == ("TW-1", "Paying", "checkout")
    assert event["root_cause"] == "The price list was empty"
    assert event["resolution"] == "Filled the price list"
    assert event["evidence"][0] == "POST https://shop.example/api/pay answered 500"
    assert event["version"] == 4
    await runs.patch("issues/TW-1", member, {"status": "closed"})
    assert len(await closings(runs, org)) == 1
    await runs.patch("issues/TW-1", member, {"status": "open"})
    await runs.patch("issues/TW-1", member, {"status": "closed"})
    assert [one["version"] for one in await closings(runs, org)] == [4, 6]


async def test_a_comment_is_added(runs: Runs, org: str) -> None:
    await file(runs, org, report(case()))
    member = runs.member(org)
    answer = await runs.post("issues/TW-1/comments", member, {"body": "  Seen.  "})
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert (made["author"], made["body"]) == (member.account, "Seen.")
    issue = (await runs.get("issues/tw-1", member)).json()
    assert issue["comments"] == [made]
    assert issue["comment_count"] == 1
    for body in ("", "  ", "x" * 65_537, 3, None):
        answer = await runs.post("issues/TW-1/comments", member, {"body": body})
        assert answer.status_code == 422


async def test_people_and_runs_change_an_issue_at_once(runs: Runs, org: str) -> None:
    await file(runs, org, report(case(), case("ship")))
    member = runs.member(org)
    await asyncio.gather(
        *(file(runs, org, report(case("ship"), case())) for _ in range(4)),
        *(runs.post("issues/TW-1/comments", member, {"body": f"{n}"}) for n in range(4)),
        *(runs.patch("issues/TW-2", member, {"title": f"{n}"}) for n in range(4)),
    )
    issue = (await runs.get("issues/TW-1", member)).json()
    assert (issue["occurrences"], len(issue["comments"]), issue["comment_count"]) == (5, 8, 8)


async def test_another_organizations_issue_is_not_there(runs: Runs, org: str) -> None:
    await file(runs, org, report(case()))
    stranger = runs.member(new_org())
    for answer in (
        await runs.get("issues/TW-1", stranger),
        await runs.patch("issues/TW-1", stranger, {"status": "closed"}),
        await runs.post("issues/TW-1/comments", stranger, {"body": "Hi"}),
        await runs.get("issues/TW-2", runs.member(org)),
        await runs.get("issues/1", runs.member(org)),
        await runs.get("issues/TW-99999999999999999999", runs.member(org)),
    ):
        assert (answer.status_code, answer.json()["type"]) == (404, "not_found")
    assert (await page(runs, stranger.org))["total"] == 0


async def test_a_key_needs_the_scope(runs: Runs, org: str) -> None:
    await file(runs, org, report(case()))
    member = runs.member(org)
    reader, writer = runs.key_of(member, "runs:read"), runs.key_of(member, "runs:write")
    assert (await runs.get("issues", reader)).status_code == 200
    assert (await runs.patch("issues/TW-1", reader, {})).status_code == 403
    assert (await runs.get("issues/TW-1", writer)).status_code == 403
    assert (await runs.patch("issues/TW-1", writer, {"severity": "low"})).status_code == 200
    issue = (await runs.get("issues/TW-1", reader)).json()
    assert issue["activity"][-1]["actor"] == member.account


async def test_who_was_erased_is_named_no_more_and_their_words_stay(runs: Runs, org: str) -> None:
    await file(runs, org, report(case()))
    gone, other = runs.member(org), runs.member(org)
    for who in (gone, other):
        await runs.post("issues/TW-1/comments", who, {"body": "Mine"})
    await runs.patch("issues/TW-1", gone, {"severity": "low"})
    async with runs.database.transaction() as connection:
        await erasures.forget_account(connection, gone.account)
    issue = (await runs.get("issues/TW-1", other)).json()
    assert [one["author"] for one in issue["comments"]] == ["deleted", other.account]
    assert issue["activity"][-1]["actor"] == "deleted"
    assert gone.account not in json.dumps(issue)


async def test_an_erased_organization_leaves_nothing(runs: Runs, org: str) -> None:
    kept = new_org()
    for one in (org, kept):
        await file(runs, one, report(case()))
        await file(runs, one, report(case()))
    async with runs.database.transaction() as connection:
        await erasures.forget_organization(connection, org)
    tables = ("issue", "issue_board", "issue_filing", "issue_comment", "issue_activity")
    for table in tables:
        count = f"SELECT count(*) FROM runs.{table} WHERE org_id = $1"  # noqa: S608
        assert await runs.sql.fetchval(count, org) == 0, table
        assert await runs.sql.fetchval(count, kept) > 0, table
