"""From one job of a session to the next: each in one transaction, and none while others are asked.

Every transaction locks the session's row, then looks whether the lease still holds. So a process
that slept past its lease writes nothing, and nothing is added to a session while it is looked at.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from services.agents.agents import operations as agents
from services.agents.messages.models import TurnMessage
from services.agents.messages.operations import replying
from services.agents.sessions.models import Move, Session, State
from services.agents.sessions.operations import moving, working
from services.agents.turns import rules
from services.agents.turns.models import (
    ATTEMPTS,
    FAILURES,
    HISTORY,
    RUNNER_ATTEMPTS,
    Job,
    Lease,
    LeaseLost,
    Outcome,
    Prepared,
    Reply,
    RunnerFailed,
    Step,
    Talk,
    Turn,
    Upkeep,
)
from services.agents.turns.store import jobs, leases, results
from shared.db import Connection, Database

DELETED: Final = "deleted"
CLEARED: Final = "cleared"
ERROR: Final = {"error": True}


@dataclass(slots=True)
class _Hand:
    """A session in a transaction of whoever holds it; ``session`` is None if it is deleted."""

    connection: Connection
    lease: Lease
    session: Session | None
    container_id: str | None

    @property
    def state(self) -> State | None:
        return None if self.session is None else self.session.stored

    async def move(self, wanted: Move) -> None:
        assert self.session is not None
        self.session = await moving.move(self.connection, self.session, wanted)


@asynccontextmanager
async def _holding(database: Database, lease: Lease) -> AsyncIterator[_Hand]:
    """Lend a transaction in which the session is this worker's.

    Raises:
        LeaseLost: it is not any more, or is gone altogether.
        Unavailable: the database is away.
    """
    async with database.transaction() as connection:
        session = await working.lock_by_id(connection, lease.session_id)
        container_id = None if session is None else session.container_id
        if session is None:
            is_there, container_id = await results.lock_deleted(connection, lease.session_id)
            if not is_there:
                raise LeaseLost
        if not await leases.check(connection, lease):
            raise LeaseLost
        yield _Hand(connection, lease, session, container_id)


async def begin(database: Database, lease: Lease, *, is_last: bool) -> Step | None:
    """Begin the first job of a session that was just claimed.

    Args:
        database: the service's.
        lease: the claim.
        is_last: begin nothing: somebody else is to have the session.

    Returns:
        None if there is none to be done now; the session is let go of then.

    Raises:
        LeaseLost: it is not this worker's any more.
        Unavailable: the database is away.
    """
    async with _holding(database, lease) as hand:
        return await _next(hand, is_last=is_last)


async def finish(
    database: Database, lease: Lease, step: Step, outcome: Outcome, *, is_last: bool
) -> Step | None:
    """Write down what became of a job, and begin the next; else as ``begin``.

    Harmless when called again because it is not known whether the first time held.
    """
    async with _holding(database, lease) as hand:
        failed = outcome.reason if isinstance(outcome, RunnerFailed) else None
        if await jobs.end(hand.connection, lease.session_id, step.job.number, failed):
            if isinstance(step, Upkeep):
                await _settle(hand, step.job, outcome)
            elif isinstance(outcome, Reply):
                await _answer(hand, step.input.message, outcome)
        return await _next(hand, is_last=is_last)


async def give_up(database: Database, lease: Lease, reason: str) -> None:
    """Put a session that cannot be worked on into ERROR, and let go of it.

    Raises:
        LeaseLost: it is not this worker's any more.
        Unavailable: the database is away.
    """
    async with _holding(database, lease) as hand:
        job = await jobs.first(hand.connection, lease.session_id, with_turns=True)
        if job is not None:
            await jobs.end(hand.connection, lease.session_id, job.number, reason)
        if hand.state not in (None, State.ERROR):
            await hand.move(Move(State.ERROR, reason))
        await leases.release(hand.connection, lease, is_due=False)


async def _next(hand: _Hand, *, is_last: bool) -> Step | None:
    """Begin the next job, or let go of the session."""
    connection, session_id = hand.connection, hand.lease.session_id
    while True:
        if hand.session is None:
            await jobs.end_turns(connection, session_id, DELETED)
        can_answer = hand.state is not None and rules.can_answer(hand.state)
        job = await jobs.first(connection, session_id, with_turns=can_answer)
        if job is None or is_last:
            await leases.release(connection, hand.lease, is_due=job is not None)
            return None
        step = await (_turn(hand, job) if job.kind == "run_turn" else _upkeep(hand, job))
        if step is not None:
            return step


async def _upkeep(hand: _Hand, job: Job) -> Upkeep | None:
    """Give a job that is no turn; None if it ends at once."""
    connection, session_id = hand.connection, hand.lease.session_id
    if rules.is_moot(job.kind, hand.state):
        await jobs.end(connection, session_id, job.number)
        return None
    if job.attempts >= RUNNER_ATTEMPTS:
        await jobs.end(connection, session_id, job.number, rules.UNPREPARED)
        await _settle(hand, job, RunnerFailed(rules.UNPREPARED))
        return None
    await jobs.begin(connection, session_id, job.number)
    return Upkeep(job, session_id, hand.session, hand.container_id)


async def _turn(hand: _Hand, job: Job) -> Turn | None:
    """Give a turn, the session BUSY; None if it ends at once."""
    connection, session = hand.connection, hand.session
    assert session is not None
    assert job.message_number is not None
    found = await replying.turn_input(connection, session.id, job.message_number, HISTORY)
    if found is None:
        await jobs.end(connection, session.id, job.number, CLEARED)
        if hand.state is State.BUSY and not await jobs.has_turn(connection, session.id):
            await hand.move(Move(State.READY))
        return None
    if job.attempts >= ATTEMPTS:
        await jobs.end(connection, session.id, job.number, rules.INTERRUPTED)
        interrupted = Reply("SYSTEM", rules.INTERRUPTED, metadata=ERROR, is_failure=True)
        await _answer(hand, found.message, interrupted)
        return None
    if hand.state is State.READY:
        await hand.move(Move(State.BUSY))
    return Turn(job, hand.session or session, found, await _talk(connection, session, job))


async def _talk(connection: Connection, session: Session, job: Job) -> Talk:
    memory, ids = await results.begin_turn(connection, session.id, job.number)
    found = await agents.find_by_ids(connection, ids) if ids else {}
    active = [found[each] for each in ids if each in found and found[each].active]
    return Talk([each for each in active if each.namespace == session.namespace], memory)


async def _answer(hand: _Hand, message: TurnMessage, reply: Reply) -> None:
    """Write the reply that ends a turn, and what the turn left; the session is READY after it."""
    connection, session = hand.connection, hand.session
    if session is None:
        return
    at = await replying.add_reply(
        connection,
        session,
        message,
        reply.role,
        reply.text,
        agent_id=reply.agent_id,
        agent_name=reply.agent_name,
        metadata=reply.metadata,
    )
    failures = await results.count_turn(connection, session.id, reply)
    if session.stored is not State.BUSY:
        return
    if failures >= FAILURES:
        await _fail(hand, reply.text)
    else:
        hand.session = await moving.move(connection, session, Move(State.READY), until=at)


async def _settle(hand: _Hand, job: Job, outcome: Outcome) -> None:
    """Write down what became of a job that is no turn."""
    session = hand.session
    if session is None or job.kind not in ("create_session", "reactivate_session"):
        return
    if isinstance(outcome, RunnerFailed):
        if session.stored is State.INIT or rules.can_answer(session.stored):
            await _fail(hand, outcome.reason)
    elif isinstance(outcome, Prepared):
        if session.stored is State.INIT:
            ready = Move(State.READY, None, outcome.runner_id, outcome.volume_id)
            await hand.move(ready)
            return
        await results.note_runner(hand.connection, session.id, outcome)
        if not rules.can_answer(session.stored):
            # It went on while the runner was prepared, and needs none now.
            await working.add_job(hand.connection, session, "stop_session")


async def _fail(hand: _Hand, reason: str) -> None:
    """Put a session into ERROR; its runner is not needed any more."""
    await hand.move(Move(State.ERROR, reason))
    assert hand.session is not None
    await working.add_job(hand.connection, hand.session, "stop_session")
