"""Who gets which run, how many at once, and for how long (runs contract, section 7.1)."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.runs.runs import operations
from services.runs.runs.models import Finished, Held, Status
from tests.services.runs.conftest import Runs, new_org
from tests.services.runs.runs_support import read, report_of, until
from tests.services.runs.workers_support import Works, limits
from tests.support.postgres import DatabaseUrls

LEASE = 60.0


@pytest.fixture(autouse=True)
async def _alone(runs: Runs) -> None:
    """Let nothing wait that earlier tests have left."""
    await runs.sql.execute("DELETE FROM runs.run")


@pytest.fixture
def works(runs: Runs, tmp_path: Path) -> Works:
    return Works(runs, tmp_path, runs.member())


async def claim(runs: Runs, most: int = 1, worker: str = "w", lease: float = LEASE) -> list[Held]:
    return [each.held for each in await operations.claim(runs.database, worker, most, lease)]


async def end_lease(runs: Runs, run_id: str) -> None:
    await runs.sql.execute(
        "UPDATE runs.run SET lease_until = clock_timestamp() - interval '1 s' WHERE id = $1", run_id
    )


async def test_first_in_first_out(runs: Runs, org: str) -> None:
    made = [await runs.add_run(org) for _ in range(5)]
    assert [(await claim(runs))[0].run_id for _ in made] == made
    assert await claim(runs) == []


async def test_organizations_with_less_under_way_come_first(runs: Runs) -> None:
    busy, idle = new_org(), new_org()
    first = [await runs.add_run(busy) for _ in range(4)]
    second = [await runs.add_run(idle) for _ in range(2)]
    order = [(await claim(runs))[0].run_id for _ in range(6)]
    assert order == [first[0], second[0], first[1], second[1], first[2], first[3]]


async def test_several_are_taken_in_the_same_order(runs: Runs) -> None:
    busy, idle = new_org(), new_org()
    first = [await runs.add_run(busy) for _ in range(4)]
    second = [await runs.add_run(idle) for _ in range(2)]
    taken = [held.run_id for held in await claim(runs, 5)]
    assert taken == [first[0], second[0], first[1], second[1], first[2]]


async def test_twenty_claims_at_once_take_every_run_once(runs: Runs) -> None:
    orgs = [new_org() for _ in range(4)]
    made = {await runs.add_run(org) for org in orgs for _ in range(10)}
    rounds = await asyncio.gather(*(claim(runs, 2, f"w{number % 2}") for number in range(20)))
    taken = [held.run_id for each in rounds for held in each]
    while more := await claim(runs, 10):
        taken += [held.run_id for held in more]
    assert Counter(taken) == Counter(made)


async def test_a_sleeper_writes_nothing(runs: Runs, org: str) -> None:
    run_id = await runs.add_run(org)
    [held] = await claim(runs)
    await operations.record(runs.database, held, 0, [{"kind": "log"}], None)
    await end_lease(runs, run_id)
    [renewed] = await operations.renew(runs.database, "w", [held], LEASE)
    assert not renewed.is_kept
    with pytest.raises(operations.LeaseLost):
        await operations.record(runs.database, held, 1, [{"kind": "log"}], {"cases": []})
    with pytest.raises(operations.LeaseLost):
        await operations.finish(runs.database, held, Finished(Status.PASSED), "")
    assert await runs.sql.fetchval("SELECT seq FROM runs.run WHERE id = $1", run_id) == 1


async def test_an_older_claim_writes_nothing(runs: Runs, org: str) -> None:
    run_id = await runs.add_run(org)
    [old] = await claim(runs)
    await end_lease(runs, run_id)
    assert await operations.reconcile(runs.database, requeues=True) is not None
    [new] = await claim(runs)
    assert (new.run_id, new.fence) == (old.run_id, old.fence + 1)
    for work in (
        operations.record(runs.database, old, 1, [{"kind": "log"}], None),
        operations.finish(runs.database, old, Finished(Status.PASSED), ""),
    ):
        with pytest.raises(operations.LeaseLost):
            await work
    await operations.record(runs.database, new, 1, [{"kind": "log"}], None)


async def test_a_write_that_is_repeated_is_done_once(runs: Runs, org: str) -> None:
    await runs.add_run(org)
    [held] = await claim(runs)
    for _ in range(3):
        await operations.record(runs.database, held, 0, [{"kind": "log"}] * 2, None)
    member = runs.member(org)
    finished = Finished(Status.PASSED, report_of(held.run_id, {"a": "passed"}))
    for _ in range(3):
        await operations.finish(runs.database, held, finished, "")
    run = await read(runs, member, held.run_id)
    assert [event["kind"] for event in run["events"]] == ["log", "log", "done"]
    assert (await runs.get("analytics", member)).json()["total_runs"] == 1


async def test_a_lease_is_renewed_and_tells_of_a_wish_to_end(runs: Runs, org: str) -> None:
    run_id = await runs.add_run(org)
    [held] = await claim(runs, lease=5)
    before = await runs.sql.fetchval("SELECT lease_until FROM runs.run WHERE id = $1", run_id)
    [renewed] = await operations.renew(runs.database, "w", [held], LEASE)
    assert (renewed.is_kept, renewed.is_cancelling) == (True, False)
    after = await runs.sql.fetchval("SELECT lease_until FROM runs.run WHERE id = $1", run_id)
    assert after - before > timedelta(seconds=50)
    await runs.post(f"runs/{run_id}/cancel", runs.member(org))
    [renewed] = await operations.renew(runs.database, "w", [held], LEASE)
    assert renewed.is_cancelling
    assert not (await operations.renew(runs.database, "other", [held], LEASE))[0].is_kept


async def test_a_lost_run_is_ended_by_one_of_several(runs: Runs, org: str) -> None:
    run_id = await runs.add_run(org)
    [held] = await claim(runs)
    report = report_of(run_id, {"a": "passed"}, status="running", finished_at=None)
    await operations.record(runs.database, held, 0, [{"kind": "log"}], report)
    await end_lease(runs, run_id)
    ended = await asyncio.gather(
        *(operations.reconcile(runs.database, requeues=False) for _ in range(8))
    )
    assert len([each for each in ended if each is not None]) == 1
    run = await read(runs, runs.member(org), run_id)
    assert [event["kind"] for event in run["events"]] == ["log", "log", "done"]
    assert (run["status"], run["report"]["status"]) == ("interrupted", "interrupted")
    assert run["summary"]["passed"] == 1
    assert run["report"]["finished_at"] is not None


async def test_a_lost_run_that_was_to_end_is_cancelled(runs: Runs, org: str) -> None:
    run_id = await runs.add_run(org)
    await claim(runs)
    await runs.post(f"runs/{run_id}/cancel", runs.member(org))
    await end_lease(runs, run_id)
    ended = await operations.reconcile(runs.database, requeues=True)
    assert ended is not None
    assert ended[0].status is Status.CANCELLED


async def test_a_lost_run_goes_to_the_front_of_the_queue_once(runs: Runs, org: str) -> None:
    first, second = await runs.add_run(org), await runs.add_run(org)
    for attempt in (1, 2):
        [held] = await claim(runs)
        assert held.run_id == first
        await end_lease(runs, first)
        ended = await operations.reconcile(runs.database, requeues=True)
        assert ended is not None
        assert ended[0].status is (Status.QUEUED if attempt == 1 else Status.INTERRUPTED)
    assert [held.run_id for held in await claim(runs, 5)] == [second]


async def test_no_more_runs_at_once_than_may_be(works: Works, urls: DatabaseUrls) -> None:
    gate = works.gate()
    file = await works.suite(f"hold {gate}")
    body = {"jobs": [{"suite": file}] * 5}
    answer = await works.runs.post("runs", works.member, body)
    assert (answer.status_code, answer.json()["queued"]) == (200, 5)
    async with works.working(urls=urls):

        async def two() -> Any:
            shown = (await works.runs.get("runs/queue", works.member)).json()
            return shown if len(shown["running"]) == 2 else None

        shown = await until(two, "not two at once")
        assert [run["id"] for run in shown["running"]] == answer.json()["run_ids"][:2]
        assert [run["id"] for run in shown["pending"]] == answer.json()["run_ids"][2:]
        more = await works.runs.post("runs", works.member, {"suite": file})
        assert more.status_code == 200, "never 409"
        gate.touch()
        for run_id in (*answer.json()["run_ids"], more.json()["run_id"]):
            await works.becomes(run_id, "passed")
    rows = await works.runs.sql.fetch(
        "SELECT id FROM runs.run WHERE org_id = $1 ORDER BY started_at", works.member.org
    )
    assert [row["id"] for row in rows] == [*answer.json()["run_ids"], more.json()["run_id"]]


async def test_two_workers_execute_each_run_once(works: Works, urls: DatabaseUrls) -> None:
    file = await works.suite("event 2")
    answer = await works.runs.post("runs", works.member, {"jobs": [{"suite": file}] * 8})
    async with works.working(limits(runs=3), urls=urls), works.working(limits(runs=3), urls=urls):
        ended = [await works.becomes(run_id, "passed") for run_id in answer.json()["run_ids"]]
    assert {len(run["events"]) for run in ended} == {4}
    assert {run["attempt"] for run in ended} == {1}
