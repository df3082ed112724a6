"""Working on sessions: claimed in the database, each by one process, turns in their order.

Sessions are claimed and not jobs, so two turns of one are never run at once. A process that dies
loses its sessions when their leases end; one that is told to stop gives them back at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar
from uuid import uuid4

from services.agents.sessions.operations import Bell
from services.agents.turns import rules
from services.agents.turns.models import (
    Lease,
    LeaseLost,
    Outcome,
    Reply,
    RunnerFailed,
    Step,
    Turn,
)
from services.agents.turns.operations import metrics, stepping
from services.agents.turns.operations.answering import Doer
from services.agents.turns.operations.holdings import Held, Holdings
from services.agents.turns.store import leases
from shared.bus.tasks import Owned, cancel, wait
from shared.db import Database
from shared.errors import Unavailable
from shared.log import get_logger
from shared.streams import Draining

IN_A_ROW: Final = 4
"""Jobs of one session before others that wait have their turn."""

CLAIMED: Final = 32
"""Sessions that wait for their first transaction at most, so that other processes get theirs."""

POLL: Final = 1.0
"""Seconds after which is looked without a bell."""

REST: Final = 0.005
LONGER_REST: Final = 0.02
"""Seconds between two looks, however often the bell rings; the longer where places are short."""

GRACE: Final = 5.0
"""Seconds that steps get to end when the process is to stop."""

GIVING_BACK: Final = 4.0
PAUSE: Final = 0.5
"""Seconds before a transaction is tried again because the database was away."""

T = TypeVar("T")
log = get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one process does.

    Attributes:
        turns: sessions in hand at once.
        lease_s: seconds after which a process that says nothing more has lost its sessions.
        transactions: of sessions at once; the pool has more, for whoever else needs one.
    """

    turns: int = 1000
    lease_s: float = 20.0
    transactions: int = 4

    @property
    def of_one(self) -> int:
        """Sessions of one namespace: others get the rest, whatever waits in that one."""
        return max(1, self.turns - max(1, self.turns // 4))


class TurnWorker(Owned):
    """Takes sessions and works on them, as many at once as may be.

    Args:
        database: the service's.
        doer: does the steps.
        bell: wakes it.
        draining: set when the process is to stop: nothing new is begun.
        limits: of this process.
    """

    def __init__(
        self, database: Database, doer: Doer, bell: Bell, draining: Draining, limits: Limits
    ) -> None:
        self.holdings = Holdings(f"wrk_{uuid4().hex}", limits.lease_s)
        self._database = database
        self._doer = doer
        self._bell = bell
        self._draining = draining
        self._limits = limits
        self._is_stopping = False
        self._lacks_place = self._lacks_desk = False
        self._ends_since: float | None = None
        self._after = ""
        self._waiting = 0
        self._desk = asyncio.Semaphore(limits.transactions)
        self._tasks: set[asyncio.Task[None]] = set()
        self._taking: asyncio.Task[None]
        self._keeping: asyncio.Task[None]

    @property
    def _is_ending(self) -> bool:
        return self._is_stopping or self._draining.is_set

    async def start(self) -> None:
        """Take sessions and keep them, in owned tasks."""
        self._keeping = asyncio.create_task(self.holdings.keep(self._database), name="leases")
        self._taking = asyncio.create_task(self._run(), name="turns")

    async def stop(self) -> None:
        """Take nothing new, let end what is quick, and let others have the rest at once."""
        self._is_stopping = True
        self._bell.rung.set()
        # Not cancelled at once: what was just claimed would be nobody's until its lease ends.
        await asyncio.wait([self._taking], timeout=GIVING_BACK)
        await cancel(self._taking)
        if self._tasks:
            # Requests may have been waited for since the process was told to stop.
            now = asyncio.get_running_loop().time()
            waited = now - (self._ends_since or now)
            await asyncio.wait(self._tasks, timeout=max(GRACE - waited, 0.1))
            await self._give_back()
        await cancel(self._keeping)

    async def _give_back(self) -> None:
        unfinished = list(self.holdings.held.values())
        await cancel(*self._tasks)
        if unfinished:
            mine = [held.lease for held in unfinished]
            with suppress(Unavailable, TimeoutError):
                async with (
                    asyncio.timeout(GIVING_BACK),
                    self._database.connection() as connection,
                ):
                    given = await leases.give_back(connection, self.holdings.worker, mine)
                    log.info("sessions given back", sessions=given)

    async def _run(self) -> None:
        while not self._is_stopping:
            self._bell.rung.clear()
            try:
                await self.holdings.check(self._database)
                if await self._claim():
                    continue
            except Unavailable:
                log.info("turns postponed", reason="database unavailable")
            except Exception:
                # One bad statement must not end the work of everybody.
                log.exception("claiming sessions failed")
            await asyncio.sleep(LONGER_REST if self._lacks_place else REST)
            await wait(self._bell.rung, POLL)

    async def _claim(self) -> bool:
        """Take sessions while there is room for more; tell whether to look again at once."""
        if self._is_ending:
            self._ends_since = self._ends_since or asyncio.get_running_loop().time()
            return False
        places, desk = self._limits.turns - len(self.holdings), CLAIMED - self._waiting
        self._lacks_place, self._lacks_desk = places <= 0, desk <= 0
        room = min(places, desk)
        if room <= 0:
            return False
        taken = await self._take(room, None)
        busy = self.holdings.by_namespace()
        if len(taken) < room and max(busy.values(), default=0) >= self._limits.of_one:
            # Whoever has all that one may have must not hide those who wait behind.
            self._lacks_place = True
            taken += await self._elsewhere(room - len(taken))
        return len(taken) == room

    async def _elsewhere(self, room: int) -> list[Lease]:
        taken = await self._take(room, self._after)
        if not taken and self._after:
            self._after = ""
            taken = await self._take(room, "")
        self._after = max((lease.namespace for lease in taken), default="")
        return taken

    async def _take(self, most: int, after: str | None) -> list[Lease]:
        until = asyncio.get_running_loop().time() + self._limits.lease_s
        async with self._database.connection() as connection:
            taken = await leases.claim(
                connection,
                self.holdings.worker,
                self.holdings.by_namespace(),
                most=most,
                most_of_one=self._limits.of_one,
                lease_s=self._limits.lease_s,
                after=after,
            )
        for lease in taken:
            before = self.holdings.held.get(lease.session_id)
            if before is not None:
                before.drop()  # it lost its lease, and does not know yet
            held = Held(lease, until)
            self.holdings.held[lease.session_id] = held
            held.task = asyncio.create_task(self._work(held), name="session")
            self._tasks.add(held.task)
            held.task.add_done_callback(partial(self._done, held))
        metrics.HELD.set(len(self.holdings))
        return taken

    def _done(self, held: Held, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self.holdings.held.get(held.lease.session_id) is held:
            del self.holdings.held[held.lease.session_id]
        metrics.HELD.set(len(self.holdings))
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("session not worked on", exc_info=error)
        if self._lacks_place:
            self._bell.rung.set()

    async def _work(self, held: Held) -> None:
        """Do what is to be done in a session, then let go of it."""
        try:
            await self._steps(held)
        except LeaseLost:
            log.info("session lost", session_id=str(held.lease.session_id))
        except Exception:
            log.exception("session failed", session_id=str(held.lease.session_id))
            with suppress(LeaseLost):
                reason = rules.UNFINISHED
                await self._insist(
                    held, lambda: stepping.give_up(self._database, held.lease, reason)
                )

    async def _steps(self, held: Held) -> None:
        database, lease = self._database, held.lease
        done = 0
        step = await self._insist(
            held, lambda: stepping.begin(database, lease, is_last=self._is_ending)
        )
        while step is not None:
            outcome = await self._do(step)
            done += 1
            is_last = done >= IN_A_ROW or self._is_ending
            step = await self._finish(held, step, outcome, is_last=is_last)
        if done >= IN_A_ROW:
            self._bell.rung.set()

    async def _do(self, step: Step) -> Outcome:
        if not isinstance(step, Turn):
            return await self._doer.do(step)
        with metrics.SECONDS.time():
            outcome = await self._doer.do(step)
        if isinstance(outcome, Reply):
            metrics.TURNS.labels(outcome.role).inc()
        return outcome

    async def _finish(
        self, held: Held, step: Step, outcome: Outcome, *, is_last: bool
    ) -> Step | None:
        database, lease = self._database, held.lease
        try:
            return await self._insist(
                held, lambda: stepping.finish(database, lease, step, outcome, is_last=is_last)
            )
        except LeaseLost:
            raise
        except Exception:
            # What was answered cannot be stored: then that is what is said.
            log.exception("step not finished", session_id=str(lease.session_id))
            failed = _unfinished(step)
            return await self._insist(
                held, lambda: stepping.finish(database, lease, step, failed, is_last=is_last)
            )

    async def _insist(self, held: Held, transact: Callable[[], Awaitable[T]]) -> T:
        """Try a transaction for as long as the lease may hold, because answers are dear.

        Raises:
            LeaseLost: the session is not ours any more.
        """
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            while True:
                try:
                    async with self._desk:
                        return await transact()
                except Unavailable:
                    if loop.time() > held.until:
                        raise LeaseLost from None
                await asyncio.sleep(PAUSE)
        finally:
            self._waiting -= 1
            if self._lacks_desk:
                self._bell.rung.set()


def _unfinished(step: Step) -> Outcome:
    if isinstance(step, Turn):
        return Reply("SYSTEM", rules.UNFINISHED, metadata=stepping.ERROR, is_failure=True)
    return RunnerFailed(rules.UNFINISHED)
