"""A plan's runs in turn: none begins before those in front have ended (sections 3.5 and 18.6)."""

from __future__ import annotations

import asyncio
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from services.runs.runs import operations
from services.runs.runs.models import Finished, Held, Status
from services.runs.runs.store.moving import CLAIM
from tests.services.runs.conftest import Runs
from tests.services.runs.plans_support import runs_of, save, start
from tests.services.runs.runs_support import someone
from tests.services.runs.workers_support import Works, limits
from tests.support.postgres import DatabaseUrls


@pytest.fixture(autouse=True)
async def _alone(runs: Runs) -> None:
    """Let nothing wait that earlier tests have left."""
    await runs.sql.execute("DELETE FROM runs.run; DELETE FROM runs.plan")


async def claim(runs: Runs, most: int = 9) -> list[Held]:
    return [each.held for each in await operations.claim(runs.database, "w", most, 60)]


async def finish(runs: Runs, held: Held, status: Status = Status.PASSED) -> None:
    await operations.finish(runs.database, held, Finished(status), "")


async def test_one_run_of_a_plan_is_given_out_at_a_time(runs: Runs) -> None:
    member = await someone(runs)
    plan = await save(runs, member, *["sign-up"] * 3)
    run_ids = await start(runs, member, plan) + await start(runs, member, plan)
    outside = [await runs.add_run(member.org) for _ in range(2)]
    taken = await claim(runs)
    assert [each.run_id for each in taken] == [run_ids[0], *outside]
    assert await claim(runs) == []
    # However it ended: the next one is given out, the second pass behind the first.
    held, statuses = taken[0], [Status.FAILED, Status.BROKEN, Status.CANCELLED, Status.INTERRUPTED]
    for status, wanted in zip(statuses, run_ids[1:5], strict=True):
        await finish(runs, held, status)
        [held] = await claim(runs)
        assert held.run_id == wanted
        assert await claim(runs) == []
    # Tried once more, it is before those behind it.
    finished = Finished(Status.INTERRUPTED)
    await operations.finish(runs.database, held, finished, "", requeues=True)
    [again] = await claim(runs)
    assert again.run_id == held.run_id
    await finish(runs, again)
    assert [each.run_id for each in await claim(runs)] == [run_ids[5]]


async def test_what_is_cancelled_or_deleted_in_the_queue_holds_nobody_up(runs: Runs) -> None:
    member = await someone(runs)
    run_ids = await start(runs, member, await save(runs, member, *["sign-up"] * 4))
    await runs.post(f"runs/{run_ids[0]}/cancel", member)
    await runs.delete(f"runs/{run_ids[1]}", member)
    [held] = await claim(runs)
    assert held.run_id == run_ids[2]
    # A run again is nobody's turn.
    again = (await runs.post(f"runs/{run_ids[0]}/rerun", member)).json()["run_id"]
    assert [each.run_id for each in await claim(runs)] == [again]
    await finish(runs, held)
    assert [each.run_id for each in await claim(runs)] == [run_ids[3]]


async def test_a_parallel_plan_waits_for_nobody(runs: Runs) -> None:
    member = await someone(runs)
    plan = await save(runs, member, *["sign-up"] * 3, parallel=True)
    run_ids = await start(runs, member, plan)
    assert [each.run_id for each in await claim(runs)] == run_ids


async def test_plans_wait_for_themselves_only(runs: Runs) -> None:
    member, other = await someone(runs), await someone(runs)
    firsts = set()
    for each in (member, member, other):
        run_ids = await start(runs, each, await save(runs, each, *["sign-up"] * 2))
        firsts.add(run_ids[0])
    assert {each.run_id for each in await claim(runs)} == firsts


def _overlaps(listed: list[dict[str, Any]]) -> list[tuple[str, str]]:
    spans = [
        (datetime.fromisoformat(run["started_at"]), datetime.fromisoformat(run["finished_at"]))
        for run in listed
    ]
    return [
        (one["id"], two["id"])
        for (one, (_, ended)), (two, (began, _)) in pairwise(zip(listed, spans, strict=True))
        if began < ended
    ]


async def test_two_workers_execute_a_plan_in_turn(
    runs: Runs, urls: DatabaseUrls, tmp_path: Path
) -> None:
    works = Works(runs, tmp_path, runs.member())
    gate = works.gate()
    first = await works.suite(f"hold {gate}")
    files = [first, await works.suite("crash"), await works.suite("end failed"), first]
    plan = await save(runs, works.member, *files)
    # Two passes asked for at once stand behind each other whole.
    passes = await asyncio.gather(*(start(runs, works.member, plan) for _ in range(2)))
    outside = await works.queue("event 1")
    async with works.working(limits(runs=4), urls=urls), works.working(limits(runs=4), urls=urls):
        await works.becomes(outside, "passed")
        listed = await runs_of(runs, works.member, plan)
        assert [run["status"] for run in listed].count("running") == 1
        assert [run["id"] for run in listed] in (passes[0] + passes[1], passes[1] + passes[0])
        gate.touch()
        await works.becomes(listed[-1]["id"], "passed")
    listed = await runs_of(runs, works.member, plan)
    wanted = ["passed", "interrupted", "failed", "passed"] * 2
    assert [run["status"] for run in listed] == wanted
    assert _overlaps(listed) == []


async def test_a_claim_looks_for_turns_in_their_index(runs: Runs) -> None:
    member = await someone(runs)
    await runs.sql.execute(
        "INSERT INTO runs.run (org_id, id, file, suite_id, suite_name, version, trigger, plan_id,"
        " in_turn, created_by) SELECT $1, 'run_' || n || $1, 'f', 's', 's', 1, 'plan',"
        " 'plan_' || n % 50, true, '' FROM generate_series(1, 5000) AS n",
        member.org,
    )
    await runs.sql.execute("ANALYZE runs.run")
    plan = await runs.sql.fetch(
        "EXPLAIN (COSTS OFF) " + CLAIM.replace("$1", "'w'").replace("$2", "2").replace("$3", "60")
    )
    text = "\n".join(row[0] for row in plan)
    assert "run_lane" in text
    assert "run_waiting" in text
    assert len(await claim(runs, 50)) == 50
    assert await claim(runs) == []
