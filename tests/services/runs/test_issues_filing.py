"""What a run's end writes to the board."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from services.runs.issues import operations
from tests.services.runs.conftest import Runs, new_org
from tests.services.runs.reports_support import assertion, case, file, new_run, report


async def said(runs: Runs, org: str) -> list[tuple[str, dict[str, Any]]]:
    rows = await runs.sql.fetch("SELECT kind, payload FROM runs.outbox ORDER BY id")
    events = [(row["kind"], json.loads(row["payload"])) for row in rows]
    return [(kind, body) for kind, body in events if body.get("org_id") == org]


async def shown(runs: Runs, org: str, key: str = "TW-1") -> dict[str, Any]:
    answer = await runs.get(f"issues/{key}", runs.member(org))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_failure_opens_an_issue(runs: Runs, org: str) -> None:
    made = report(case(tags=["p0"]))
    filed = await file(runs, org, made)
    fingerprint = filed.by_case["pay"]["fingerprint"]
    assert filed.by_case == {"pay": {"id": "TW-1", "fingerprint": fingerprint, "created": True}}
    assert filed.issues_filed == [
        {
            "provider": "tripwire",
            "key": "TW-1",
            "url": "/api/v1/issues/TW-1",
            "case_id": "pay",
            "created": True,
        }
    ]
    issue = await shown(runs, org)
    assert issue["fingerprint"] == fingerprint
    assert (issue["status"], issue["severity"], issue["occurrences"]) == ("open", "critical", 1)
    assert (issue["suite_id"], issue["case_id"]) == ("checkout", "pay")
    assert issue["run_id"] == made["run_id"]
    assert issue["first_seen"] == issue["last_seen"]
    assert issue["first_seen"].endswith("Z")
    assert (issue["comments"], issue["external"]) == ([], [])
    (activity,) = issue["activity"]
    assert (activity["kind"], activity["actor"]) == ("opened", "guildhall")
    assert (activity["from"], activity["to"]) == (None, "open")
    ((kind, event),) = await said(runs, org)
    assert (kind, event["issue_id"], event["version"]) == ("issue.opened.v1", "TW-1", 1)


async def test_the_same_again_is_one_issue_two_occurrences_and_one_comment(
    runs: Runs, org: str
) -> None:
    await file(runs, org, report(case()))
    again = report(case(assertions=[assertion(observed="Other words")]))
    filed = await file(runs, org, again)
    assert filed.by_case["pay"]["created"] is False
    issue = await shown(runs, org)
    assert (issue["occurrences"], issue["run_id"]) == (2, again["run_id"])
    assert issue["last_seen"] > issue["first_seen"]
    (comment,) = issue["comments"]
    assert comment["author"] == "guildhall"
    assert again["run_id"] in comment["body"]
    assert "Other words" in comment["body"]
    kind, event = (await said(runs, org))[-1]
    assert (kind, event["occurrences"], event["reopened"]) == ("issue.recurred.v1", 2, False)
    assert event["version"] == 2


async def test_a_closed_one_is_opened_again_and_an_acknowledged_one_stays(
    runs: Runs, org: str
) -> None:
    member = runs.member(org)
    await file(runs, org, report(case()))
    await runs.patch("issues/TW-1", member, {"status": "acknowledged"})
    await file(runs, org, report(case()))
    assert (await shown(runs, org))["status"] == "acknowledged"
    await runs.patch("issues/TW-1", member, {"status": "closed"})
    again = report(case())
    await file(runs, org, again)
    issue = await shown(runs, org)
    assert (issue["status"], issue["occurrences"]) == ("open", 3)
    last = issue["activity"][-1]
    assert (last["kind"], last["from"], last["to"]) == ("reopened", "closed", "open")
    assert (last["actor"], last["run_id"]) == ("guildhall", again["run_id"])
    assert (await said(runs, org))[-1][1]["reopened"] is True


async def test_a_worker_that_says_it_twice_files_once(runs: Runs, org: str) -> None:
    made = report(case(), case("ship", "broken"))
    first = await file(runs, org, made)
    second = await file(runs, org, made)
    assert second.by_case == first.by_case
    assert (await shown(runs, org))["occurrences"] == 1
    assert len(await said(runs, org)) == 2
    # A case that only the second telling has is filed, and the others are not.
    third = await file(runs, org, {**made, "cases": [case("late"), *made["cases"]]})
    assert third.by_case["late"] == {**third.by_case["late"], "id": "TW-3", "created": True}
    assert (await shown(runs, org))["occurrences"] == 1


async def test_runs_that_find_the_same_at_once_make_one_issue(runs: Runs, org: str) -> None:
    cases = [case(), case("ship", "broken"), case("find")]
    made = [report(*order) for order in (cases, cases[::-1], cases, cases[::-1])]
    filed = await asyncio.gather(*(file(runs, org, one) for one in made))
    ids = [{case_id: one["id"] for case_id, one in each.by_case.items()} for each in filed]
    assert all(each == ids[0] for each in ids)
    assert sum(each.by_case["pay"]["created"] for each in filed) == 1
    assert (await shown(runs, org, ids[0]["pay"]))["occurrences"] == 4


async def test_numbers_are_an_organizations_own_and_never_given_again(runs: Runs, org: str) -> None:
    other = new_org()
    await file(runs, org, report(case(), case("ship")))
    assert (await file(runs, other, report(case()))).by_case["pay"]["id"] == "TW-1"
    await runs.sql.execute("DELETE FROM runs.issue WHERE org_id = $1 AND number = 2", org)
    assert (await file(runs, org, report(case("find")))).by_case["find"]["id"] == "TW-3"


async def test_none_writes_nothing_and_every_other_word_means_the_board(
    runs: Runs, org: str
) -> None:
    assert (await file(runs, org, report(case()), "none")).by_case == {}
    assert (await file(runs, org, report(case(verdict="passed")))).issues_filed == []
    assert await runs.sql.fetchval("SELECT count(*) FROM runs.issue WHERE org_id = $1", org) == 0
    assert (await file(runs, org, report(case()), "github")).by_case["pay"]["id"] == "TW-1"


async def test_an_undone_transaction_files_nothing(runs: Runs, org: str) -> None:
    made = report(case())
    try:
        async with runs.database.transaction() as connection:
            await operations.file(
                connection, org, report=made, run_id=made["run_id"], words=("tripwire",)
            )
            raise RuntimeError
    except RuntimeError:
        pass
    assert await said(runs, org) == []
    assert (await file(runs, org, made)).by_case["pay"]["created"] is True


async def test_an_issue_has_no_more_comments_than_it_may(runs: Runs, org: str) -> None:
    await file(runs, org, report(case()))
    await runs.sql.execute("UPDATE runs.issue SET comment_count = 10000 WHERE org_id = $1", org)
    await file(runs, org, report(case()))
    issue = await shown(runs, org)
    assert (issue["occurrences"], issue["comments"]) == (2, [])
    answer = await runs.post("issues/TW-1/comments", runs.member(org), {"body": "more"})
    assert (answer.status_code, answer.json()["type"]) == (422, "limit_exceeded")


async def test_a_deleted_run_leaves_its_issue(runs: Runs, org: str) -> None:
    made = report(case(), run_id=new_run())
    await file(runs, org, made)
    async with runs.database.transaction() as connection:
        await operations.forget_run(connection, org, made["run_id"])
    assert (await shown(runs, org))["run_id"] == made["run_id"]
    left = await runs.sql.fetchval("SELECT count(*) FROM runs.issue_filing WHERE org_id = $1", org)
    assert left == 0
