"""What runs learned, kept for the next run; exported, imported, deleted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from services.runs.engine.healing.models import Entry as EngineEntry
from services.runs.engine.host.models import Kept
from services.runs.erasures import operations as erasures
from services.runs.resolutions import operations
from services.runs.resolutions.models import Known
from tests.services.runs.conftest import Runs, new_org
from tests.services.runs.reports_support import new_run
from tests.services.runs.resolutions_support import FILE, entry, heal, keep, target


async def known(runs: Runs, org: str, suite_id: str = "sign-up") -> Known:
    async with runs.database.connection() as connection:
        return await operations.known(connection, org, suite_id)


async def names(runs: Runs, org: str) -> list[str]:
    return sorted(one["target"]["name"] for one in (await known(runs, org)).entries)


async def test_what_a_case_taught_is_what_the_next_run_begins_with(runs: Runs, org: str) -> None:
    told = entry(action={"kind": "click"})
    await keep(runs, org, "log-in", [told])
    (found,) = (await known(runs, org)).entries
    assert found == told
    # And the engine reads it.
    assert EngineEntry.from_json(found).as_json() == told


async def test_a_stale_entry_is_replaced_and_other_keys_are_their_own(runs: Runs, org: str) -> None:
    others = [
        entry(name="path", path="/other/{id}"),
        entry(name="template", template='Click "Log on"'),
        entry(name="part", part=1),
        entry(name="step", step_id="s2"),
    ]
    await keep(runs, org, "log-in", [entry(name="old"), *others])
    await keep(runs, org, "sign-up", [entry(name="case")])
    await keep(runs, org, "log-in", [entry(name="new")], suite_id="elsewhere")
    await keep(runs, org, "log-in", [entry(name="older"), entry(name="new")])
    assert await names(runs, org) == ["case", "new", "part", "path", "step", "template"]


async def test_to_keep_the_same_twice_changes_nothing(runs: Runs, org: str) -> None:
    run_id = new_run()
    first = await keep(runs, org, "log-in", [entry()], [heal()], run_id=run_id)
    again = await keep(runs, org, "log-in", [entry()], [heal()], run_id=run_id)
    assert first == again
    (heal_id,) = first["log-in"]
    assert heal_id.startswith("heal_")
    assert len((await known(runs, org)).entries) == 1
    other = await keep(runs, org, "log-in", [], [heal(), heal(), heal(part=1)])
    assert len(other["log-in"]) == 2
    assert heal_id not in other["log-in"]


@pytest.mark.parametrize(
    "broken",
    [
        {"template": None},
        {"part": -1},
        {"target": "x"},
        {"target": {"name": "x" * 2_001}},
        {"step_id": ""},
        {"step_id": "x" * 300},
        {"action": {"value": "x" * 6_000}},
        {"path": 3},
    ],
)
async def test_what_a_page_made_malformed_is_left_out(
    runs: Runs, org: str, broken: dict[str, Any]
) -> None:
    await keep(runs, org, "log-in", [entry(name="bad") | broken, entry(step_id="s9")])
    assert [one["step_id"] for one in (await known(runs, org)).entries] == ["s9"]


async def test_texts_that_no_table_takes_are_made_fit(runs: Runs, org: str) -> None:
    bad: dict[str, Any] = {"name": "a\0b", "action": {"k\0": ["\0"]}}
    async with runs.database.transaction() as connection:
        kept = Kept.model_construct(
            case_id="log-in", entries=(entry(**bad, css="\ud800"),), heals=()
        )
        await operations.keep(connection, org, "sign-up", new_run(), [kept])
    (found,) = (await known(runs, org)).entries
    assert (found["target"]["name"], found["action"]) == ("ab", {"k": [""]})
    assert found["target"]["css"] == "?"


async def test_a_suite_has_no_more_entries_than_it_may(
    runs: Runs, org: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "MOST_ENTRIES", 3)
    for number in range(5):
        await keep(runs, org, "log-in", [entry(name=f"{number}", path=f"/{number}")])
    assert await names(runs, org) == ["2", "3", "4"]
    monkeypatch.setattr(operations, "LARGEST_KNOWN", 500)
    assert set(await names(runs, org)) < {"2", "3", "4"}


async def test_writers_of_one_suite_never_wait_crosswise(runs: Runs, org: str) -> None:
    some = [entry(name=f"{n}", step_id=f"s{n}") for n in range(20)]
    orders = (some, some[::-1]) * 3
    await asyncio.gather(*(keep(runs, org, "log-in", order) for order in orders))
    assert len((await known(runs, org)).entries) == 20


async def export(runs: Runs, org: str, **query: Any) -> dict[str, Any]:
    answer = await runs.get("resolutions", runs.member(org), params={"suite": FILE} | query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_an_export_can_be_imported_elsewhere(runs: Runs, org: str) -> None:
    await runs.add_suite(org)
    await keep(runs, org, "log-in", [entry(), entry(step_id="s2", frame=["https://a.example/"])])
    await keep(runs, org, "sign-up", [entry()])
    made = await export(runs, org)
    assert (made["suite"], made["suite_id"], len(made["entries"])) == (FILE, "sign-up", 3)
    assert len((await export(runs, org, case="sign-up"))["entries"]) == 1
    other = new_org()
    await runs.add_suite(other, suite_id="another")
    refused = {"case_id": "log-in", "step_id": "s7", "part": 0, "target": target("No")}
    body = made | {"refused": [refused]}
    answer = await runs.put("resolutions", runs.member(other), body)
    assert answer.json() == {"ok": True, "entries": 3, "refused": 1}
    taken = await export(runs, other)
    key = json.dumps
    assert sorted(taken["entries"], key=key) == sorted(made["entries"], key=key)
    assert (taken["suite_id"], len(taken["refused"])) == ("another", 1)
    # Twice is as once.
    assert (await runs.put("resolutions", runs.member(other), body)).status_code == 200
    assert len((await export(runs, other))["entries"]) == 3


async def test_an_import_brings_no_refused_target_back(runs: Runs, org: str) -> None:
    await runs.add_suite(org)
    await keep(runs, org, "log-in", [entry(name="kept", step_id="s3")])
    refused = {"case_id": "log-in", "step_id": "s1", "part": 0, "target": target("Log in")}
    more = {"case_id": "log-in", "step_id": "s3", "part": 0, "target": target("kept")}
    body = {"suite": FILE, "entries": [entry(case_id="log-in")], "refused": [refused, more]}
    answer = await runs.put("resolutions", runs.member(org), body)
    assert answer.json() == {"ok": True, "entries": 0, "refused": 2}
    assert (await export(runs, org))["entries"] == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"entries": []}, "suite"),
        ({"suite": FILE, "entries": {}}, "entries"),
        ({"suite": FILE, "entries": [{}]}, "entries.0.case_id"),
        ({"suite": FILE, "entries": [entry(case_id="a", part="x")]}, "entries.0.part"),
        ({"suite": FILE, "entries": [entry(case_id="a", name=3)]}, "entries.0.target.name"),
        ({"suite": FILE, "entries": [entry(case_id="a\0")]}, "entries.0.case_id"),
        ({"suite": FILE, "refused": [{"case_id": "a"}]}, "refused.0.step_id"),
        ({"suite": FILE, "entries": [{}] * 10_001}, "entries"),
        ({"suite": FILE, "entries": [entry(case_id="a", action={"v": "x" * 5_001})]}, "action"),
    ],
)
async def test_an_import_is_checked_whole(
    runs: Runs, org: str, body: dict[str, Any], path: str
) -> None:
    await runs.add_suite(org)
    answer = await runs.put("resolutions", runs.member(org), body)
    assert (answer.status_code, answer.json()["type"]) == (422, "validation_error")
    assert any(path in one["path"] for one in answer.json()["error"]["details"])
    assert (await export(runs, org))["entries"] == []


async def test_entries_can_be_deleted_by_suite_case_and_step(runs: Runs, org: str) -> None:
    await runs.add_suite(org)
    member = runs.member(org)
    for case_id in ("log-in", "sign-up"):
        await keep(runs, org, case_id, [entry(name="1"), entry(name="2", step_id="s2")])

    async def delete(**query: Any) -> Mapping[str, Any]:
        answer = await runs.delete("resolutions", member, params={"suite": FILE} | query)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    assert await delete(case="log-in", step="s2") == {"ok": True}
    assert len((await known(runs, org)).entries) == 3
    await delete(case="sign-up")
    assert len((await known(runs, org)).entries) == 1
    await delete()
    await delete()
    assert (await known(runs, org)).entries == ()
    refused = {"case_id": "log-in", "step_id": "s1", "target": target("No")}
    await runs.put("resolutions", member, {"suite": FILE, "refused": [refused]})
    await delete()
    assert len((await known(runs, org)).refused) == 1
    await delete(refused=True)
    assert (await known(runs, org)).refused == ()
    answer = await runs.delete("resolutions", member, params={"suite": FILE, "step": "s1"})
    assert answer.status_code == 422
    assert (await runs.delete("resolutions", member)).status_code == 422


async def test_a_suite_of_nobody_or_of_others_is_not_there(runs: Runs, org: str) -> None:
    await runs.add_suite(org)
    stranger = runs.member(new_org())
    query = {"suite": FILE}
    for answer in (
        await runs.get("resolutions", stranger, params=query),
        await runs.delete("resolutions", stranger, params=query),
        await runs.put("resolutions", stranger, query),
        await runs.get("heals", stranger, params=query),
        await runs.get("resolutions", runs.member(org), params={"suite": "no.yml"}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (404, "not_found")


async def test_a_suite_is_named_without_extension_and_after_its_end(runs: Runs, org: str) -> None:
    await runs.add_suite(org)
    await runs.add_run(org)
    assert (await export(runs, org, suite="sign-up"))["suite_id"] == "sign-up"
    await runs.sql.execute("DELETE FROM runs.suite WHERE org_id = $1", org)
    assert (await export(runs, org))["suite_id"] == "sign-up"


async def test_a_key_needs_the_scope(runs: Runs, org: str) -> None:
    await runs.add_suite(org)
    member = runs.member(org)
    reader, writer = runs.key_of(member, "runs:read"), runs.key_of(member, "runs:write")
    query = {"suite": FILE}
    assert (await runs.get("resolutions", reader, params=query)).status_code == 200
    assert (await runs.get("resolutions", writer, params=query)).status_code == 403
    assert (await runs.put("resolutions", reader, query)).status_code == 403
    assert (await runs.put("resolutions", writer, query)).status_code == 200
    assert (await runs.delete("resolutions", reader, params=query)).status_code == 403


async def test_an_erased_organization_leaves_nothing(runs: Runs, org: str) -> None:
    kept = new_org()
    for one in (org, kept):
        await runs.add_suite(one)
        await keep(runs, one, "log-in", [entry()], [heal()])
        refused = {"case_id": "log-in", "step_id": "s7", "target": target("No")}
        await runs.put("resolutions", runs.member(one), {"suite": FILE, "refused": [refused]})
    async with runs.database.transaction() as connection:
        await erasures.forget_organization(connection, org)
    for table in ("resolution", "refused_target", "heal"):
        count = f"SELECT count(*) FROM runs.{table} WHERE org_id = $1"  # noqa: S608
        assert await runs.sql.fetchval(count, org) == 0
        assert await runs.sql.fetchval(count, kept) == 1
