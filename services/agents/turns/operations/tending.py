"""What time does to sessions: they become idle, and do not stay in a passing state for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from services.agents.sessions.models import Move, Session, State
from services.agents.sessions.operations import Bell, moving, working
from services.agents.turns import rules
from services.agents.turns.models import Lingering, Placed, RunnerFailed
from services.agents.turns.operations.runners import PREPARE_SECONDS, RUNNING, Runner
from services.agents.turns.store import jobs, overdue
from shared.bus.tasks import Owned, cancel
from shared.db import Connection, Database
from shared.errors import Unavailable
from shared.log import get_logger

IDLE_EVERY: Final = 10.0
HEALTH_EVERY: Final = 30.0

STANDS_FOR: Final = 30.0
"""Seconds that a runner has to come up."""

STARTS_WITHIN: Final = 60.0
"""Seconds after which a session that nobody starts is in error."""

BUSY_FOR: Final = 600.0
"""Seconds after which a session is not BUSY any more in which no turn is open."""

BATCH: Final = 500
PAGE: Final = 500
PAGES: Final = 40
"""Pages of one round; the next goes on where it ended."""

JOB_DAYS: Final = 7
CHANGE_DAYS: Final = 30
"""A stream that was away for longer begins anew."""

SWEPT: Final = 5_000

NOBODY: Final = UUID(int=0)

log = get_logger()


class Tender(Owned):
    """Looks after all sessions; any number of processes may.

    Args:
        database: the service's.
        bell: rung where there is something to do.
        runner: knows which runners are there.
    """

    def __init__(self, database: Database, bell: Bell, runner: Runner) -> None:
        self._database = database
        self._bell = bell
        self._runner = runner
        # How far the present rounds have come.
        self._unstarted = self._abandoned = overdue.FIRST
        self._seen = NOBODY
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Look again and again."""
        looks = ((self.let_idle, IDLE_EVERY), (self.check_health, HEALTH_EVERY))
        self._tasks = [
            asyncio.create_task(_repeat(look, seconds), name="tender") for look, seconds in looks
        ]

    async def stop(self) -> None:
        """Stop looking."""
        await cancel(*self._tasks)

    async def let_idle(self) -> int:
        """Let sessions be IDLE in which nothing happens; give how many."""
        total = 0
        while True:
            async with self._bell.ringing(self._database) as connection:
                ids = await overdue.lock_idle(connection, BATCH)
                moved = await moving.move_all(connection, ids, State.READY, Move(State.IDLE))
                await working.add_jobs(connection, moved, "stop_session")
            total += len(ids)
            if len(ids) < BATCH:
                return total

    async def check_health(self) -> None:
        """Bring sessions out of states in which they would stay for ever."""
        await self.fail_unstarted()
        await self.free_abandoned()
        if self._runner.may_fall:
            await self.fail_fallen()

    async def fail_unstarted(self) -> None:
        """Put sessions into ERROR that are INIT, with nobody to start them."""
        for _ in range(PAGES):
            async with self._database.connection() as connection:
                page = await overdue.lingering(
                    connection, "INIT", self._unstarted, STARTS_WITHIN, PAGE
                )
            await self._end(page, State.INIT, self._fail_unstarted)
            self._unstarted = page[-1].since if len(page) == PAGE else overdue.FIRST
            if len(page) < PAGE:
                break

    async def free_abandoned(self) -> None:
        """Make sessions READY that are BUSY with no turn open, whoever made them so."""
        for _ in range(PAGES):
            async with self._database.connection() as connection:
                page = await overdue.lingering(connection, "BUSY", self._abandoned, BUSY_FOR, PAGE)
            await self._end(page, State.BUSY, self._free_abandoned)
            self._abandoned = page[-1].since if len(page) == PAGE else overdue.FIRST
            if len(page) < PAGE:
                break

    async def fail_fallen(self) -> None:
        """Put sessions into ERROR whose runner is not there any more."""
        for _ in range(PAGES):
            async with self._database.connection() as connection:
                page = await overdue.standing(connection, self._seen, STANDS_FOR, PAGE)
            try:
                async with asyncio.timeout(PREPARE_SECONDS):
                    found = await self._runner.standing(page)
            except (RunnerFailed, TimeoutError):
                log.warning("runners not looked at")
                return
            for placed in page:
                status = found.get(placed.session_id, "not found")
                if status != RUNNING:
                    await self._fail_fallen(placed, status)
            self._seen = page[-1].session_id if len(page) == PAGE else NOBODY
            if len(page) < PAGE:
                break

    async def _end(
        self,
        page: list[Lingering],
        state: State,
        end: Callable[[Connection, Session], Awaitable[None]],
    ) -> None:
        for one in page:
            if one.is_worked:
                continue
            async with self._bell.ringing(self._database) as connection:
                session = await working.lock_by_id(connection, one.session_id)
                if session is None or session.stored is not state:
                    continue
                if session.last_activity_at == one.since:
                    await end(connection, session)

    async def _fail_unstarted(self, connection: Connection, session: Session) -> None:
        if await jobs.first(connection, session.id, with_turns=False) is None:
            await moving.move(connection, session, Move(State.ERROR, rules.NOT_STARTED))
            log.warning("session was not started", session_id=str(session.id))

    async def _free_abandoned(self, connection: Connection, session: Session) -> None:
        if not await jobs.has_turn(connection, session.id):
            await moving.move(connection, session, Move(State.READY))

    async def _fail_fallen(self, placed: Placed, status: str) -> None:
        async with self._bell.ringing(self._database) as connection:
            session = await working.lock_by_id(connection, placed.session_id)
            if session is None or not rules.can_answer(session.stored):
                return
            if session.container_id != placed.container_id:
                return  # another runner was prepared meanwhile
            if await jobs.first(connection, session.id, with_turns=False) is not None:
                return  # that is being seen to
            await overdue.evict(connection, session.id)
            reason = f"Container status: {status}"
            session = await moving.move(connection, session, Move(State.ERROR, reason))
            await working.add_job(connection, session, "stop_session")
            log.warning("runner has fallen", session_id=str(session.id), status=status)


async def _repeat(look: Callable[[], Awaitable[object]], seconds: float) -> None:
    while True:
        try:
            await look()
        except Unavailable:
            log.info("sessions not looked after", reason="database unavailable")
        except Exception:
            # One that fails must not end the task.
            log.exception("looking after sessions failed")
        await asyncio.sleep(seconds)


async def sweep(database: Database) -> None:
    """Drop jobs that ended a week ago, and state changes of a month ago."""
    for drop, days in ((jobs.delete_old, JOB_DAYS), (jobs.delete_old_changes, CHANGE_DAYS)):
        dropped = SWEPT
        while dropped == SWEPT:
            async with database.transaction() as connection:
                dropped = await drop(connection, days, SWEPT)
