"""Deciding about what was healed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.runs.engine.healing.models import Place
from services.runs.erasures import operations as erasures
from services.runs.resolutions import operations
from services.runs.resolutions.models import Known
from tests.services.runs.conftest import Runs, new_org
from tests.services.runs.reports_support import new_run
from tests.services.runs.resolutions_support import FILE, entry, heal, keep, target


async def known(runs: Runs, org: str) -> Known:
    async with runs.database.connection() as connection:
        return await operations.known(connection, org, "sign-up")


async def healed(runs: Runs, org: str, **fields: Any) -> str:
    """Let a run heal ``Log in`` to ``Sign in``, and give the record's id."""
    told = heal(**fields)
    name = told["after"]["name"]
    kept = await keep(runs, org, "log-in", [entry(name=name, path=told["path"])], [told])
    (heal_id,) = kept["log-in"]
    return heal_id


async def listed(runs: Runs, org: str, **query: Any) -> list[str]:
    answer = await runs.get("heals", runs.member(org), params=query)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.keys() == {"items", "total", "limit", "offset"}
    return [one["id"] for one in body["items"]]


async def test_a_heal_waits_with_before_after_and_score(runs: Runs, org: str) -> None:
    heal_id = await healed(runs, org)
    answer = await runs.get("heals", runs.member(org))
    (shown,) = answer.json()["items"]
    assert (shown["id"], shown["status"], shown["suite_id"]) == (heal_id, "pending", "sign-up")
    assert (shown["case_id"], shown["step_id"]) == ("log-in", "s1")
    assert (shown["before"], shown["after"]) == (target(), target("Sign in"))
    assert (shown["score"], shown["confidence"]) == (85.0, 0.85)
    assert (shown["decided_by"], shown["decided_at"]) == (None, None)
    assert shown["created_at"].endswith("Z")


async def test_accepting_keeps_what_was_found(runs: Runs, org: str) -> None:
    heal_id = await healed(runs, org)
    member = runs.member(org)
    answer = await runs.post(f"heals/{heal_id}/accept", member)
    assert answer.status_code == 200, answer.text
    decided = answer.json()
    assert (decided["status"], decided["decided_by"]) == ("accepted", member.account)
    found = await known(runs, org)
    assert [one["target"]["name"] for one in found.entries] == ["Sign in"]
    assert found.refused == ()


async def test_rejecting_removes_the_entry_and_refuses_the_target(runs: Runs, org: str) -> None:
    await keep(runs, org, "log-in", [entry(name="Sign in", path="/elsewhere")])
    await keep(runs, org, "log-in", [entry(name="Other", path="/more")])
    await keep(runs, org, "sign-up", [entry(name="Sign in")])
    heal_id = await healed(runs, org)
    answer = await runs.post(f"heals/{heal_id}/reject", runs.member(org))
    assert (answer.status_code, answer.json()["status"]) == (200, "rejected")
    found = await known(runs, org)
    left = {(one["case_id"], one["target"]["name"]) for one in found.entries}
    assert left == {("log-in", "Other"), ("sign-up", "Sign in")}
    (refused,) = found.refused
    assert (refused["case_id"], refused["step_id"], refused["part"]) == ("log-in", "s1", 0)
    # The engine refuses it from then on, whatever else has changed of it.
    assert Place.from_json(refused["target"]).name == "Sign in"


async def test_a_run_that_was_under_way_brings_no_refused_target_back(runs: Runs, org: str) -> None:
    heal_id = await healed(runs, org)
    await runs.post(f"heals/{heal_id}/reject", runs.member(org))
    again = await keep(runs, org, "log-in", [entry(name="Sign in", css="b")], [heal()])
    assert (await known(runs, org)).entries == ()
    # Its heal is there to be decided, and accepting it allows the target again.
    (other,) = again["log-in"]
    await runs.post(f"heals/{other}/accept", runs.member(org))
    assert (await known(runs, org)).refused == ()
    await keep(runs, org, "log-in", [entry(name="Sign in")])
    assert len((await known(runs, org)).entries) == 1


async def test_to_decide_the_same_twice_is_fine_and_otherwise_a_conflict(
    runs: Runs, org: str
) -> None:
    member = runs.member(org)
    for first, other in (("accept", "reject"), ("reject", "accept")):
        heal_id = await healed(runs, org)
        decided = await runs.post(f"heals/{heal_id}/{first}", member)
        again = await runs.post(f"heals/{heal_id}/{first}", runs.member(org))
        assert (again.status_code, again.json()) == (200, decided.json())
        refused = await runs.post(f"heals/{heal_id}/{other}", member)
        assert (refused.status_code, refused.json()["type"]) == (409, "conflict")


async def test_of_two_who_decide_at_once_one_does(runs: Runs, org: str) -> None:
    heal_id = await healed(runs, org)
    words = ("accept", "reject") * 4
    with capture_logs() as logs:
        answers = await asyncio.gather(
            *(runs.post(f"heals/{heal_id}/{word}", runs.member(org)) for word in words)
        )
    by_word = {
        word: {
            answer.status_code for one, answer in zip(words, answers, strict=True) if one == word
        }
        for word in ("accept", "reject")
    }
    assert sorted(by_word.values(), key=sorted) == [{200}, {409}]
    # Whoever came second is told what the first decided, and it is written down once.
    decided = [answer.json() for answer in answers if answer.status_code == 200]
    assert all(one == decided[0] for one in decided)
    assert [line["event"] for line in logs].count("heal decided") == 1
    found = await known(runs, org)
    assert (len(found.entries), len(found.refused)) in ((1, 0), (0, 1))
    assert (by_word["accept"] == {200}) == (len(found.entries) == 1)


async def test_rejecting_and_keeping_at_once_leaves_no_refused_entry(runs: Runs, org: str) -> None:
    heal_id = await healed(runs, org)
    await asyncio.gather(
        *(keep(runs, org, "log-in", [entry(name="Sign in")]) for _ in range(5)),
        runs.post(f"heals/{heal_id}/reject", runs.member(org)),
    )
    found = await known(runs, org)
    assert (found.entries, len(found.refused)) == ((), 1)


async def test_heals_are_listed_newest_first_and_filtered(runs: Runs, org: str) -> None:
    await runs.add_suite(org)
    await runs.add_suite(org, "other.yml", suite_id="other")
    made = [await healed(runs, org, path=f"/{n}") for n in range(3)]
    elsewhere = await keep(runs, org, "log-in", [], [heal()], suite_id="other")
    await runs.post(f"heals/{made[0]}/accept", runs.member(org))
    await runs.post(f"heals/{made[1]}/reject", runs.member(org))
    assert await listed(runs, org) == [*elsewhere["log-in"], *made[::-1]]
    assert await listed(runs, org, suite=FILE) == made[::-1]
    assert await listed(runs, org, suite="other.yml", status="pending") == elsewhere["log-in"]
    assert await listed(runs, org, status="accepted") == [made[0]]
    assert await listed(runs, org, status="rejected", suite=FILE) == [made[1]]
    assert await listed(runs, org, limit=1, offset=1) == [made[2]]


@pytest.mark.parametrize("query", [{"status": "done"}, {"limit": "x"}, {"suite": ""}])
async def test_bad_queries_are_refused(runs: Runs, org: str, query: dict[str, Any]) -> None:
    answer = await runs.get("heals", runs.member(org), params=query)
    assert (answer.status_code, answer.json()["type"]) == (422, "validation_error")


async def test_another_organizations_heal_is_not_there(runs: Runs, org: str) -> None:
    heal_id = await healed(runs, org)
    stranger = runs.member(new_org())
    for word in ("accept", "reject"):
        for answer in (
            await runs.post(f"heals/{heal_id}/{word}", stranger),
            await runs.post(f"heals/heal_none/{word}", runs.member(org)),
        ):
            assert (answer.status_code, answer.json()["type"]) == (404, "not_found")
    assert await listed(runs, stranger.org) == []
    assert await listed(runs, org, status="pending") == [heal_id]


async def test_a_key_needs_the_scope(runs: Runs, org: str) -> None:
    heal_id = await healed(runs, org)
    member = runs.member(org)
    reader = runs.key_of(member, "runs:read")
    assert (await runs.get("heals", reader)).status_code == 200
    assert (await runs.post(f"heals/{heal_id}/accept", reader)).status_code == 403
    writer = runs.key_of(member, "runs:write")
    decided = await runs.post(f"heals/{heal_id}/accept", writer)
    assert decided.json()["decided_by"] == member.account


async def test_who_was_erased_is_named_no_more(runs: Runs, org: str) -> None:
    heal_id = await healed(runs, org)
    gone = runs.member(org)
    await runs.post(f"heals/{heal_id}/accept", gone)
    async with runs.database.transaction() as connection:
        await erasures.forget_account(connection, gone.account)
    (shown,) = (await runs.get("heals", runs.member(org))).json()["items"]
    assert (shown["status"], shown["decided_by"]) == ("accepted", "")


async def test_a_heal_of_a_run_is_one_whatever_was_decided(runs: Runs, org: str) -> None:
    run_id = new_run()
    first = await keep(runs, org, "log-in", [entry("Sign in")], [heal()], run_id=run_id)
    await runs.post(f"heals/{first['log-in'][0]}/reject", runs.member(org))
    again = await keep(runs, org, "log-in", [entry("Sign in")], [heal()], run_id=run_id)
    assert again == first
    assert await listed(runs, org, status="pending") == []
    assert (await known(runs, org)).entries == ()
