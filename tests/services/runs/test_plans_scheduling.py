"""The scheduler: each boundary once, however many look, and none too late (section 3.5)."""

from __future__ import annotations

import asyncio
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import REGISTRY

from services.runs.plans.operations import scheduling
from services.runs.plans.operations.scheduling import AT_ONCE
from services.runs.settings import RunsSettings
from tests.services.runs.conftest import Runs
from tests.services.runs.plans_support import (
    FILE,
    make_due,
    runs_of,
    save,
    schedulers,
    shown,
    start,
)
from tests.services.runs.runs_support import said, someone, until
from tests.support.postgres import DatabaseUrls

YEARS = "0 0 29 2 *"
"""Far away, whenever this runs."""


@pytest.fixture(autouse=True)
async def _alone(runs: Runs) -> None:
    """Let nothing be due that earlier tests have left."""
    await runs.sql.execute("DELETE FROM runs.run; DELETE FROM runs.plan")


def counted(outcome: str) -> float:
    """Give how many boundaries came out like that."""
    name = "guildhall_runs_plan_boundaries_total"
    return REGISTRY.get_sample_value(name, {"outcome": outcome}) or 0.0


async def test_of_three_schedulers_one_fires_a_boundary(runs: Runs, urls: DatabaseUrls) -> None:
    member = await someone(runs)
    plans = [await save(runs, member, FILE, FILE, schedule=YEARS) for _ in range(8)]
    async with schedulers(runs, urls, UTC, 3) as three:
        for round_ in (1, 2):
            for plan in plans:
                await make_due(runs, plan)
            fired = counted("fired")
            looks = await asyncio.gather(*(each.look() for each in three for _ in range(2)))
            # What one held, the others left to it: nothing is due any more.
            assert sum(looks) == len(plans)
            assert counted("fired") - fired == len(plans)
            for plan in plans:
                listed = await runs_of(runs, member, plan)
                assert len(listed) == 2 * round_
                assert {run["trigger"] for run in listed} == {"plan"}
                seen = await shown(runs, member, plan)
                assert seen["last_run_ids"] == [run["id"] for run in listed[-2:]]
                assert seen["next_run"] == plan["next_run"]
    queued = [event for kind, event in await said(runs, member.org) if kind == "run.queued.v1"]
    assert len(queued) == 4 * len(plans)
    assert {event["plan_id"] for event in queued} == {plan["id"] for plan in plans}


async def test_what_was_missed_is_not_made_up_for(runs: Runs, urls: DatabaseUrls) -> None:
    member = await someone(runs)
    missed = await save(runs, member, schedule=YEARS)
    late = await save(runs, member, schedule=YEARS)
    never = await save(runs, member, schedule="tomorrow")
    await make_due(runs, missed, 3600)
    await make_due(runs, late, 30)
    skipped = counted("late")
    async with schedulers(runs, urls, UTC) as [scheduler]:
        assert await scheduler.look() == 1
        assert await scheduler.look() == 0
    assert counted("late") - skipped == 1
    assert await runs_of(runs, member, missed) == []
    assert await runs_of(runs, member, never) == []
    assert len(await runs_of(runs, member, late)) == 1
    for plan in (missed, late):
        seen = await shown(runs, member, plan)
        assert seen["next_run"] == plan["next_run"]
    assert (await shown(runs, member, missed))["last_run"] is None


async def test_a_plan_that_fails_holds_up_no_other(
    runs: Runs, urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await someone(runs)
    bad, full, good = [await save(runs, member, schedule=YEARS) for _ in range(3)]
    await runs.sql.execute(
        'UPDATE runs.plan SET items = \'[{"suite": 5, "cases": null}]\' WHERE id = $1', bad["id"]
    )
    await runs.sql.execute(
        "INSERT INTO runs.run (org_id, id, file, suite_id, suite_name, version, trigger, plan_id,"
        " created_by) SELECT $1, 'run_' || n || $2, 'f', 's', 's', 1, 'plan', $2, ''"
        " FROM generate_series(1, 1000) AS n",
        member.org,
        full["id"],
    )
    for seconds, plan in ((3, bad), (2, full), (1, good)):
        await make_due(runs, plan, seconds)
    before = counted("failed"), counted("full")
    async with schedulers(runs, urls, UTC) as [scheduler]:
        assert await scheduler.look() == 1
    assert (counted("failed") - before[0], counted("full") - before[1]) == (1, 1)
    assert len(await runs_of(runs, member, good)) == 1
    assert (await shown(runs, member, full))["last_run"] is None
    assert (await shown(runs, member, full))["next_run"] == full["next_run"]


async def test_what_changes_or_goes_meanwhile_is_not_fired(runs: Runs, urls: DatabaseUrls) -> None:
    member = await someone(runs)
    plan, gone = [await save(runs, member, schedule=YEARS) for _ in range(2)]
    for each in (plan, gone):
        await make_due(runs, each)
    async with schedulers(runs, urls, UTC) as [scheduler]:
        # Held by a person who runs it just now: left for the next look, and fired then.
        async with runs.database.transaction() as connection:
            await connection.execute("SELECT FROM runs.plan WHERE id = $1 FOR UPDATE", plan["id"])
            await runs.delete(f"plans/{gone['id']}", member)
            assert await scheduler.look() == 0
        assert await scheduler.look() == 1
        # Without a schedule it is due no more.
        await make_due(runs, plan)
        await save(runs, member, id=plan["id"])
        assert await scheduler.look() == 0
    assert len(await runs_of(runs, member, plan)) == 1
    assert await start(runs, member, plan)


async def test_many_are_fired_look_by_look(runs: Runs, urls: DatabaseUrls) -> None:
    member = await someone(runs)
    await runs.sql.execute(
        "INSERT INTO runs.plan (org_id, id, name, items, schedule, next_run, updated_by)"
        " SELECT $1, 'plan_' || n || $1, 'n', '[{\"suite\": \"sign-up\", \"cases\": null}]',"
        " '0 0 * * *', clock_timestamp() - interval '1 s', 'usr' FROM generate_series(1, $2) AS n",
        member.org,
        AT_ONCE + 1,
    )
    async with schedulers(runs, urls, UTC) as [scheduler]:
        assert [await scheduler.look() for _ in range(3)] == [AT_ONCE, 1, 0]


async def test_a_schedule_is_read_in_the_zone_of_the_settings(
    runs: Runs, urls: DatabaseUrls
) -> None:
    member = await someone(runs)
    plan = await save(runs, member, schedule="30 2 * * *")
    await make_due(runs, plan)
    zone = ZoneInfo("Asia/Kolkata")
    async with schedulers(runs, urls, zone) as [scheduler]:
        assert await scheduler.look() == 1
    assert "T21:00:00" in (await shown(runs, member, plan))["next_run"]


async def test_the_scheduler_runs_beside_the_worker(runs: Runs) -> None:
    member = await someone(runs)
    settings: RunsSettings = runs.resources[RunsSettings]
    assert (settings.zone_of_plans(), settings.plan_grace_seconds) == (UTC, 60)
    plan = await save(runs, member, schedule="* * * * *")
    await make_due(runs, plan)
    async with scheduling(runs.resources, runs.database):

        async def fired() -> bool:
            return bool(await runs_of(runs, member, plan))

        await until(fired, "not fired")
    assert (await shown(runs, member, plan))["last_run"] is not None
