"""What time does to sessions: idle, health, no state for ever (contract, sections 6 and 9.11)."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.agents.providers.models import Answered, ProviderFailed, Question
from services.agents.sessions.models import Session
from services.agents.sessions.operations import Bell
from services.agents.turns.models import Prepared, RunnerFailed
from services.agents.turns.operations.tending import BATCH, Tender, sweep
from services.agents.turns.operations.worker import Limits
from shared.db import Database
from tests.services.agents.conftest import Agents
from tests.services.agents.turns_support import (
    Chat,
    FakeRunner,
    Work,
    chat,
    echo,
    forget_work,
    until,
    worker_of,
)
from tests.support.postgres import DatabaseUrls


@pytest.fixture(autouse=True)
async def _alone(agents: Agents) -> None:
    await forget_work(agents.sql)
    await agents.sql.execute("DELETE FROM agents.session")


@pytest.fixture
async def work(agents: Agents, urls: DatabaseUrls) -> AsyncIterator[Work]:
    async with worker_of(urls, bell=agents.resources[Bell]) as work:
        yield work


def tender(agents: Agents, runner: FakeRunner) -> Tender:
    return Tender(agents.resources[Database], agents.resources[Bell], runner)


async def age(made: Chat) -> None:
    """Let everything that happened in a session be an hour ago."""
    await made.sql.execute(
        """
        UPDATE agents.session
           SET last_activity_at = last_activity_at - interval '1 hour',
               started_at = started_at - interval '1 hour',
               idle_at = idle_at - interval '1 hour',
               created_at = created_at - interval '1 hour'
         WHERE id = $1
        """,
        made.id,
    )


async def test_a_session_in_which_nothing_happens_becomes_idle_and_its_runner_goes(
    agents: Agents, work: Work
) -> None:
    idle, never, fresh = [
        await chat(agents, waiting_timeout_seconds=seconds) for seconds in (60, 0, 60)
    ]
    for each in (idle, never):
        await age(each)
    assert await tender(agents, work.runner).let_idle() == 1
    await idle.becomes("IDLE")
    assert work.runner.released == [(idle.id, "box")]
    assert (await never.row())["state"] == (await fresh.row())["state"] == "READY"
    assert (await idle.jobs())[-1] == ("stop_session", "completed", 1)
    kinds = await agents.sql.fetch(
        "SELECT kind FROM agents.outbox WHERE payload LIKE '%' || $1 || '%\"state\":\"IDLE\"%'",
        idle.talk.id,
    )
    assert [row["kind"] for row in kinds] == ["session.changed.v1"]


async def test_a_message_begins_the_time_anew(agents: Agents, work: Work) -> None:
    made = await chat(agents, waiting_timeout_seconds=60)
    await age(made)
    await made.say("still here")
    await made.replies()
    row = await made.becomes("READY")
    assert row["idle_at"] > row["last_activity_at"]
    assert await tender(agents, work.runner).let_idle() == 0


async def test_a_session_with_a_turn_to_come_does_not_become_idle(agents: Agents) -> None:
    made = await chat(agents, waiting_timeout_seconds=60)
    await made.say("wait")
    await made.sql.execute(
        "UPDATE agents.session SET state = 'READY', idle_at = now() - interval '1 hour' "
        "WHERE id = $1",
        made.id,
    )
    assert await tender(agents, FakeRunner()).let_idle() == 0


async def test_more_sessions_than_are_taken_at_once_become_idle(agents: Agents) -> None:
    many = BATCH * 2 + 10
    await agents.sql.execute(
        """
        INSERT INTO agents.session (id, namespace, name, owner_type, owner_id, created_by, state,
                                    started_at, last_activity_at, idle_at)
        SELECT gen_random_uuid(), 'many', 'm', 'User', 'usr_x', 'usr_x', 'READY', now(), now(),
               now() - interval '1 hour'
          FROM generate_series(1, $1)
        """,
        many,
    )
    assert await tender(agents, FakeRunner()).let_idle() == many
    left = await agents.sql.fetchval("SELECT count(*) FROM agents.session WHERE state = 'READY'")
    assert left == 0


async def test_a_session_whose_runner_has_fallen_is_in_error_and_can_be_restored(
    agents: Agents, work: Work
) -> None:
    gate = work.providers.hang()
    fallen, fresh, standing, busy = [await chat(agents) for _ in range(4)]
    await busy.say("hello")
    await work.providers.was_asked()
    for each in (fallen, standing, busy):
        await age(each)
    for each in (fallen, fresh, busy):
        work.runner.fallen[each.id] = "exited"
    await tender(agents, work.runner).check_health()
    for each in (fallen, busy):
        row = await each.becomes("ERROR")
        assert row["termination_reason"] == "Container status: exited"
    assert (await fresh.row())["state"] == (await standing.row())["state"] == "READY"
    assert await busy.lines() == [("USER", "hello")]
    gate.set()
    work.runner.fallen.clear()
    await busy.talk.send("POST", "/restore")
    await busy.replies()
    await busy.becomes("READY")
    assert await busy.lines() == [("USER", "hello"), ("AGENT", "assistant: hello")]


async def test_runners_that_cannot_be_looked_at_are_left(agents: Agents) -> None:
    made = await chat(agents)
    await age(made)
    await tender(agents, FakeRunner(trouble=RunnerFailed("away"))).check_health()
    assert (await made.row())["state"] == "READY"


async def test_a_runner_that_cannot_be_prepared_is_an_error_and_restoring_prepares_anew(
    agents: Agents, work: Work
) -> None:
    work.runner.trouble = RunnerFailed("No place is left.")
    made = await chat(agents, ready=False)
    row = await made.becomes("ERROR")
    assert row["termination_reason"] == "No place is left."
    assert row["terminated_at"] is not None
    work.runner.trouble = None
    await made.talk.send("POST", "/restore")

    async def prepared() -> bool:
        return (await made.row())["container_id"] is not None

    await until(prepared, "not prepared anew")
    row = await made.becomes("READY")
    assert (row["terminated_at"], row["termination_reason"]) == (None, None)


async def test_a_runner_that_crashes_says_nothing_of_itself(agents: Agents, work: Work) -> None:
    work.runner.trouble = ValueError("secret of the host")
    made = await chat(agents, ready=False)
    row = await made.becomes("ERROR")
    assert row["termination_reason"] == "The runner could not be prepared."


async def test_a_deleted_session_loses_its_runner_and_what_waits(
    agents: Agents, urls: DatabaseUrls
) -> None:
    made = await chat(agents)
    await made.say("hello")
    await made.talk.send("DELETE", "")
    async with worker_of(urls) as work:

        async def destroyed() -> bool:
            return (await made.jobs())[-1] == ("destroy_session", "completed", 1)

        await until(destroyed, "not destroyed")
        assert work.runner.released == [(made.id, "box")]
        assert not work.providers.asked
    assert {job[1] for job in await made.jobs()} == {"completed", "failed"}
    assert (await made.work())["due_at"] is None


TURNS = (None, ("pending", 0), ("processing", 1), ("processing", 2))
OTHERS = (None, "create_session", "reactivate_session", "stop_session")
STATES = ("INIT", "READY", "IDLE", "BUSY", "ERROR")
TROUBLES = ("", "runner", "provider", "worker")


async def test_from_every_state_a_lasting_one_is_reached(
    agents: Agents, urls: DatabaseUrls
) -> None:
    """Every state, with every job open, whoever has failed: nothing stays INIT or BUSY."""
    arranged = [
        Arranged(uuid4(), *each) for each in itertools.product(STATES, TURNS, OTHERS, TROUBLES)
    ]
    made = {each.id: each.trouble for each in arranged}
    await arrange(agents.sql, arranged)

    class Troubled(FakeRunner):
        async def prepare(self, session: Session) -> Prepared:
            if made.get(session.id) == "runner":
                raise RunnerFailed("No place is left.")
            return await super().prepare(session)

    async def troubled(question: Question) -> Answered:
        if made.get(UUID(question.turn_id.split("/")[0])) == "provider":
            raise ProviderFailed("The model has no time.")
        return await echo(question)

    async with worker_of(urls, limits=Limits(lease_s=30), runner=Troubled()) as work:
        work.providers.behave = troubled
        looks = Tender(agents.resources[Database], work.bell, work.runner)

        async def all_last() -> bool:
            await looks.check_health()
            await looks.let_idle()
            left = await agents.sql.fetch(
                "SELECT s.id, s.state FROM agents.session AS s JOIN agents.work AS w "
                "ON w.session_id = s.id WHERE s.state IN ('INIT', 'BUSY') OR w.due_at IS NOT NULL"
            )
            return not left

        await until(all_last, "some stay")
    rows = await agents.sql.fetch(
        """
        SELECT s.state, (SELECT count(*) FROM agents.job AS j WHERE j.session_id = s.id
                            AND j.state IN ('pending', 'processing')
                            AND (j.kind <> 'run_turn' OR s.state = 'READY')) AS open,
               (SELECT count(*) FROM agents.message AS m
                 WHERE m.session_id = s.id AND m.role <> 'USER') AS replies
          FROM agents.session AS s
        """
    )
    assert {row["state"] for row in rows} <= {"READY", "IDLE", "ERROR"}
    assert {row["open"] for row in rows} == {0}
    assert {row["replies"] for row in rows} <= {0, 1}


@dataclass(frozen=True)
class Arranged:
    """A session an hour old, in any state, with any jobs, perhaps with a worker that died."""

    id: UUID
    state: str
    turn: tuple[str, int] | None
    other: str | None
    trouble: str


async def arrange(sql: asyncpg.Connection[asyncpg.Record], arranged: Sequence[Arranged]) -> None:
    await sql.executemany(
        """
        INSERT INTO agents.session (id, namespace, name, owner_type, owner_id, created_by, state,
                                    number, started_at, last_activity_at, terminated_at)
        VALUES ($1, 'reach', 'r', 'User', 'usr_x', 'usr_x', $2, 3, now() - interval '1 hour',
                now() - interval '1 hour', CASE WHEN $2 = 'ERROR' THEN now() END)
        """,
        [(each.id, each.state) for each in arranged],
    )
    turns = [(each.id, *each.turn) for each in arranged if each.turn is not None]
    await sql.executemany(
        """
        INSERT INTO agents.message (session_id, number, id, role, content, created_at)
        VALUES ($1, 1, gen_random_uuid(), 'USER', 'hello', now() - interval '1 hour')
        """,
        [(session_id,) for session_id, _, _ in turns],
    )
    await sql.executemany(
        """
        INSERT INTO agents.job (session_id, number, kind, message_number, state, attempts)
        VALUES ($1, 2, 'run_turn', 1, $2, $3)
        """,
        turns,
    )
    await sql.executemany(
        "INSERT INTO agents.job (session_id, number, kind) VALUES ($1, 3, $2)",
        [(each.id, each.other) for each in arranged if each.other is not None],
    )
    await sql.executemany(
        """
        INSERT INTO agents.work (session_id, namespace, due_at, worker)
        VALUES ($1, 'reach', CASE WHEN $2 THEN now() - interval '1 hour' END,
                CASE WHEN $2 AND $3 = 'worker' THEN 'wrk_dead' END)
        """,
        [
            (each.id, each.turn is not None or each.other is not None, each.trouble)
            for each in arranged
        ],
    )


async def test_old_jobs_and_state_changes_are_swept(agents: Agents) -> None:
    made = await chat(agents)
    await made.say("hello")
    for days in (6, 8):
        await agents.sql.execute(
            "INSERT INTO agents.job (session_id, number, kind, state, finished_at) VALUES "
            "($1, $2, 'stop_session', 'completed', now())",
            made.id,
            days * 100,
        )
    await agents.sql.execute(
        "UPDATE agents.job SET finished_at = now() - make_interval(days => number::int / 100) "
        "WHERE session_id = $1 AND number >= 600",
        made.id,
    )
    for days in (29, 31):
        await agents.sql.execute(
            "INSERT INTO agents.state_change (session_id, number, state, at) VALUES "
            "($1, $2, 'IDLE', now() - make_interval(days => $3))",
            made.id,
            days * 100,
            days,
        )
    await sweep(agents.resources[Database])
    jobs = await agents.sql.fetch("SELECT number FROM agents.job WHERE session_id = $1", made.id)
    numbers = {row["number"] for row in jobs}
    assert 600 in numbers
    assert 800 not in numbers
    assert len(numbers) > 1, "what is open stays"
    changes = await agents.sql.fetch(
        "SELECT number FROM agents.state_change WHERE session_id = $1 AND number > 1000", made.id
    )
    assert [row["number"] for row in changes] == [2900]
