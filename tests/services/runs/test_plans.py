"""Plans: kept, listed, changed, run when asked (runs contract, section 3.5)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.runs.plans.models import MASK
from services.runs.plans.operations import start as begin
from services.runs.runs import operations
from services.runs.runs.models import RunRow
from shared.contracts.auth import AccountDeleted, OrganizationDeleted
from shared.db import Connection
from shared.vault import Vault
from tests.services.runs.conftest import Runs, suite_text
from tests.services.runs.plans_support import (
    FILE,
    everything,
    runs_of,
    save,
    shown,
    start,
)
from tests.services.runs.runs_support import read, said, someone
from tests.services.runs.test_erasures import held_of

KEYS = {
    "id",
    "name",
    "description",
    "items",
    "parallel",
    "schedule",
    "schedule_error",
    "next_run",
    "last_run",
    "last_run_ids",
    "auth",
    "created_at",
    "updated_at",
}


@pytest.fixture(autouse=True)
async def _alone(runs: Runs) -> None:
    """Let nothing stand there that earlier tests have left."""
    await runs.sql.execute("DELETE FROM runs.run; DELETE FROM runs.plan")


AUTH = {"username": "ada", "password": "s3cret-words", "login_path": "/login"}


async def test_a_plan_is_kept_changed_listed_and_deleted(runs: Runs) -> None:
    member = await someone(runs)
    plan = await save(runs, member, FILE, schedule="0 2 * * *", description="Each night")
    assert set(plan) == KEYS
    assert plan["items"] == [{"suite": FILE, "cases": None}]
    assert (plan["parallel"], plan["auth"], plan["last_run"]) == (False, None, None)
    assert (plan["schedule_error"], plan["last_run_ids"]) == (None, [])
    assert plan["next_run"].endswith("T02:00:00.000Z")
    assert await shown(runs, member, plan) == plan
    items = [{"suite": "other", "cases": ["a", "b"]}]
    changed = await save(runs, member, id=plan["id"], name=" Weekly ", items=items, parallel=True)
    assert changed["id"] == plan["id"]
    assert (changed["name"], changed["parallel"]) == ("Weekly", True)
    assert (changed["schedule"], changed["next_run"], changed["description"]) == (None, None, "")
    assert changed["items"] == items
    assert changed["created_at"] == plan["created_at"] < changed["updated_at"]
    second = await save(runs, member, name="Second")
    page = (await runs.get("plans", member)).json()
    assert (page["total"], page["limit"], page["offset"]) == (2, 50, 0)
    assert [each["id"] for each in page["items"]] == [second["id"], plan["id"]]
    for q, wanted in {"WEEK": plan, "sign-UP": second, second["id"].upper(): second}.items():
        found = (await runs.get("plans", member, params={"q": q})).json()
        assert [each["id"] for each in found["items"]] == [wanted["id"]], q
        assert found["total"] == 1
    found = (await runs.get("plans", member, params={"limit": 1, "offset": 1})).json()
    assert [each["id"] for each in found["items"]] == [plan["id"]]
    deleted = await runs.delete(f"plans/{plan['id']}", member)
    assert deleted.json() == {"ok": True}
    for gone in (
        await runs.get(f"plans/{plan['id']}", member),
        await runs.delete(f"plans/{plan['id']}", member),
        await runs.post(f"plans/{plan['id']}/run", member),
        await runs.post("plans", member, {"id": plan["id"], "name": "x", "items": items}),
        await runs.get(f"plans/{second['id']}", runs.member()),
    ):
        assert (gone.status_code, gone.json()["type"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 201}, "name"),
        ({"name": None}, "name"),
        ({"items": []}, "items"),
        ({"items": [{"suite": "a"}] * 101}, "items"),
        ({"items": [{"cases": ["a"]}]}, "items"),
        ({"items": [{"suite": "a", "cases": []}]}, "cases"),
        ({"parallel": "yes"}, "parallel"),
        ({"schedule": 5}, "schedule"),
        ({"schedule": "*" * 201}, "schedule"),
        ({"description": "d" * 5001}, "description"),
        ({"auth": {"password": "hidden-word"}}, "username"),
        ({"auth": {"username": "ada"}}, "password"),
        ({"auth": {"username": "ada", "password": MASK}}, "password"),
        ({"auth": {"username": "ada", "password": ""}}, "password"),
        ({"auth": {**AUTH, "login_path": "https://elsewhere.test/"}}, "login_path"),
        ({"auth": {**AUTH, "login_path": "//elsewhere.test/"}}, "login_path"),
        ({"auth": {**AUTH, "login_path": "/\\elsewhere.test/"}}, "login_path"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_kept(
    runs: Runs, body: dict[str, Any], place: str
) -> None:
    member = runs.member()
    request = {"name": "Nightly", "items": [{"suite": FILE}], **body}
    answer = await runs.post("plans", member, request)
    assert (answer.status_code, answer.json()["type"]) == (422, "validation_error"), answer.text
    assert place in answer.text
    assert "s3cret-words" not in answer.text
    assert (await runs.get("plans", member)).json()["total"] == 0


async def test_a_bad_schedule_is_kept_and_flagged(runs: Runs) -> None:
    member = await someone(runs)
    plan = await save(runs, member, schedule="every night")
    assert (plan["schedule"], plan["next_run"]) == ("every night", None)
    assert "five fields" in plan["schedule_error"]
    assert await shown(runs, member, plan) == plan
    mended = await save(runs, member, id=plan["id"], schedule="*/5 * * * *")
    ahead = datetime.fromisoformat(mended["next_run"]) - datetime.now(UTC)
    assert timedelta(seconds=-1) < ahead <= timedelta(minutes=5)
    assert mended["schedule_error"] is None
    # Saved again, it keeps its boundary.
    again = await save(runs, member, id=plan["id"], schedule="*/5 * * * *", name="Other")
    assert again["next_run"] == mended["next_run"]


async def test_an_organization_has_a_thousand_plans_at_most(runs: Runs) -> None:
    member = runs.member()
    await runs.sql.execute(
        "INSERT INTO runs.plan (org_id, id, name, items, updated_by)"
        " SELECT $1, 'plan_' || n || $1, 'n', '[]', '' FROM generate_series(1, 999) AS n",
        member.org,
    )
    request = {"name": "Nightly", "items": [{"suite": FILE}]}
    answers = await asyncio.gather(*(runs.post("plans", member, request) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 422, 422]
    assert (await runs.get("plans", member)).json()["total"] == 1000


async def test_a_plan_is_run_in_order_and_remembers_it(runs: Runs) -> None:
    member = await someone(runs)
    await runs.add_suite(member.org, "second.tripwire.yaml", suite_text("two"), suite_id="two")
    items = [{"suite": "sign-up"}, {"suite": "second", "cases": ["log-in"]}, {"suite": FILE}]
    plan = await save(runs, member, items=items)
    run_ids = await start(runs, member, plan)
    listed = await runs_of(runs, member, plan)
    assert [run["id"] for run in listed] == run_ids
    assert [run["suite"] for run in listed] == [FILE, "second.tripwire.yaml", FILE]
    # What a case depends on comes along.
    assert [run["cases"] for run in listed] == [None, ["sign-up", "log-in"], None]
    assert {(run["trigger"], run["plan_id"]) for run in listed} == {("plan", plan["id"])}
    seen = await shown(runs, member, plan)
    assert seen["last_run_ids"] == run_ids
    assert seen["last_run"] is not None
    assert seen["updated_at"] == plan["updated_at"]
    events = await said(runs, member.org)
    assert [event["run_id"] for _, event in events] == run_ids
    assert {(kind, event["plan_id"]) for kind, event in events} == {("run.queued.v1", plan["id"])}
    # Its runs stay when it goes.
    await runs.delete(f"plans/{plan['id']}", member)
    assert (await read(runs, member, run_ids[0]))["plan_id"] == plan["id"]


async def test_a_key_starts_a_plan_once(runs: Runs) -> None:
    member = await someone(runs)
    plan, other = await save(runs, member), await save(runs, member)
    headers = {"idempotency-key": "once"}
    first = await start(runs, member, plan, headers=headers)
    assert await start(runs, member, plan, headers=headers) == first
    answer = await runs.post(f"plans/{other['id']}/run", member, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (422, "idempotency_conflict")
    assert len(await runs_of(runs, member, plan)) == 1


async def test_an_item_that_cannot_be_run_is_broken_and_the_rest_goes_on(runs: Runs) -> None:
    member = await someone(runs)
    await runs.add_suite(member.org, "torn.tripwire.yaml", "suite: [", suite_id="torn")
    await runs.add_suite(member.org, "going.tripwire.yaml", suite_text("going"), suite_id="going")
    items = [
        {"suite": "going"},
        {"suite": "torn"},
        {"suite": FILE, "cases": ["nobody"]},
        {"suite": "no such/../suite"},
        {"suite": FILE},
    ]
    plan = await save(runs, member, items=items)
    await runs.delete("suites/going", member)
    run_ids = await start(runs, member, plan)
    found = [await read(runs, member, run_id) for run_id in run_ids]
    assert [run["status"] for run in found] == ["broken"] * 4 + ["queued"]
    reasons = ["going.tripwire.yaml is gone", "torn.tripwire.yaml", "nobody", "is gone"]
    for run, reason in zip(found, reasons, strict=False):
        assert [event["kind"] for event in run["events"]] == ["log", "done"]
        assert [event["seq"] for event in run["events"]] == [1, 2]
        assert reason in run["events"][0]["message"]
        assert run["events"][1]["status"] == "broken"
        assert (run["report"], run["started_at"]) == (None, None)
        assert run["finished_at"] is not None
    kinds = [kind for kind, _ in await said(runs, member.org)]
    assert kinds.count("run.finished.v1") == 4
    # What is broken holds nobody up.
    [order] = await operations.claim(runs.database, "w", 9, 60)
    assert order.run.id == run_ids[4]


async def test_passes_that_come_faster_than_they_go_are_refused(runs: Runs) -> None:
    member = await someone(runs)
    plan = await save(runs, member, *[FILE] * 100)
    for _ in range(10):
        await start(runs, member, plan)
    answer = await runs.post(f"plans/{plan['id']}/run", member)
    assert (answer.status_code, answer.json()["type"]) == (422, "limit_exceeded")
    assert "1000 runs of this plan" in answer.json()["detail"]


async def test_a_password_is_read_back_by_nobody(
    runs: Runs, capfd: pytest.CaptureFixture[str]
) -> None:
    member = await someone(runs)
    plan = await save(runs, member, auth=AUTH)
    masked = {**AUTH, "password": MASK}
    assert plan["auth"] == masked
    answers = [
        (await runs.get("plans", member)).text,
        json.dumps(await shown(runs, member, plan)),
        json.dumps(await save(runs, member, id=plan["id"])),
        json.dumps(await save(runs, member, id=plan["id"], auth=masked)),
        json.dumps(await save(runs, member, id=plan["id"], auth={"username": "bob"})),
    ]
    assert all(MASK in json.dumps(json.loads(answer), ensure_ascii=False) for answer in answers)
    [run_id] = await start(runs, member, plan)
    answers += [
        (await runs.get(f"runs/{run_id}", member)).text,
        (await runs.get("runs", member)).text,
    ]
    [order] = await operations.claim(runs.database, "w", 1, 60)
    assert order.login is not None
    assert order.run.id == run_id
    out = capfd.readouterr()
    assert "s3cret-words" not in await everything(runs) + "".join(answers) + out.out + out.err
    assert "s3cret-words" not in repr(order)
    none = await save(runs, member, id=plan["id"], auth={"username": "bob", "password": None})
    assert none["auth"] == {"username": "bob", "password": None, "login_path": None}
    none = await save(runs, member, id=plan["id"], auth=None)
    assert none["auth"] is None
    await start(runs, member, plan)
    assert await runs.sql.fetchval("SELECT count(*) FROM runs.run WHERE login IS NOT NULL") == 1


async def test_plans_are_forgotten_with_people_and_organizations(runs: Runs) -> None:
    member, other = await someone(runs), await someone(runs)
    for each in (member, other):
        await start(runs, each, await save(runs, each, auth=AUTH))
    await runs.tell(AccountDeleted(account_id=member.account))
    assert await runs.sql.fetchval("SELECT count(*) FROM runs.plan WHERE updated_by = ''") == 1
    assert member.account not in str(await runs.sql.fetch("SELECT * FROM runs.plan"))
    await runs.tell(OrganizationDeleted(org_id=member.org))
    assert await held_of(runs, member.org) == {}
    assert (await held_of(runs, other.org))["plan"] == 1


async def test_every_end_comes_by_what_is_owed_for_it(runs: Runs) -> None:
    member = await someone(runs)
    plan = await save(runs, member, "gone", FILE)
    seen: list[tuple[str, str, str | None]] = []

    async def note(_: Connection, run: RunRow, report: Mapping[str, Any] | None) -> None:
        assert report is None
        seen.append((run.id, run.status, run.plan_id))

    async def fail(_: Connection, run: RunRow, report: Mapping[str, Any] | None) -> None:
        raise RuntimeError

    failing = operations.Endings([note, fail])
    with pytest.raises(RuntimeError):
        await begin(runs.database, runs.resources[Vault], failing, member, plan["id"])
    # What cannot be owed has not happened.
    assert await runs_of(runs, member, plan) == []
    assert (await shown(runs, member, plan))["last_run"] is None
    seen.clear()
    noting = operations.Endings([note])
    started = await begin(runs.database, runs.resources[Vault], noting, member, plan["id"])
    gone, waiting = started.run_ids
    for _ in range(2):
        await operations.cancel(runs.database, member, waiting, noting)
    assert seen == [(gone, "broken", plan["id"]), (waiting, "cancelled", plan["id"])]
