"""Delivering what is owed: taken in the database, where nothing waits for a network.

A courier that dies loses what it had in hand to another, which says it again under the same id.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from services.runs.deliveries import rules, store
from services.runs.deliveries.models import Outcome, Owed
from services.runs.integrations import operations as integrations
from services.runs.runs.operations.reading import report_of, require
from services.runs.settings import RunsSettings
from shared.bus.tasks import Owned, cancel, wait
from shared.db import Database
from shared.errors import NotFound, Unavailable
from shared.fetch import Fetcher
from shared.log import get_logger
from shared.service import Resources
from shared.vault import Vault

AT_ONCE: Final = 8
"""Notifications that a process sends at once."""

OF_ONE: Final = 2
"""Of one organization."""

LEASE: Final = 60.0
"""Seconds: longer than sending one and writing down what became of it can take."""

POLL: Final = 2.0
"""Seconds after which is looked without a bell: for what runs that ended have added."""

REST: Final = 0.1
"""Seconds between two looks, however often the bell rings."""

SETTLING: Final = 20.0
"""Seconds in which is tried again to write down what was delivered, before it is said twice."""

PAUSE: Final = 0.5

STOPPING: Final = 2.0
"""Seconds in which what was broken off is given back."""

GONE: Final = "The run was deleted."
NO_CHANNEL: Final = "The channel is not configured any more."

log = get_logger()


@asynccontextmanager
async def delivering(resources: Resources, database: Database) -> AsyncIterator[None]:
    """Deliver what is owed until the context is left."""
    settings: RunsSettings = resources[RunsSettings]
    courier = Courier(database, settings, resources[Vault], resources[Fetcher])
    async with courier:
        yield


class Courier(Owned):
    """Takes what is due, and delivers.

    Args:
        database: the service's.
        settings: of this process.
        vault: opens stored credentials.
        fetcher: reaches only what may be reached.
    """

    def __init__(
        self, database: Database, settings: RunsSettings, vault: Vault, fetcher: Fetcher
    ) -> None:
        self.bell = asyncio.Event()
        self._database = database
        self._settings = settings
        self._vault = vault
        self._fetcher = fetcher
        self._in_hand: dict[asyncio.Task[None], Owed] = {}
        self._taking: asyncio.Task[None]

    async def start(self) -> None:
        """Take and deliver, in owned tasks."""
        self._taking = asyncio.create_task(self._work(), name="deliveries")

    async def stop(self) -> None:
        """Break off what is under way, and let others have it."""
        await cancel(self._taking)
        unfinished = dict(self._in_hand)
        await cancel(*unfinished)
        if unfinished:
            with suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(STOPPING), self._database.transaction() as connection:
                    await store.give_back(connection, list(unfinished.values()))

    async def _work(self) -> None:
        while True:
            self.bell.clear()
            try:
                await self._take()
            except Unavailable:
                log.info("notifications postponed", reason="database unavailable")
            except Exception:
                # One bad statement must not end the telling of everybody.
                log.exception("notifications failed")
            await asyncio.sleep(REST)
            await wait(self.bell, POLL)

    async def _take(self) -> None:
        room = AT_ONCE - len(self._in_hand)
        if room <= 0:
            return
        held = Counter(owed.org_id for owed in self._in_hand.values())
        async with self._database.transaction() as connection:
            taken = await store.claim(connection, list(held), room, OF_ONE, LEASE)
        for owed in taken:
            task = asyncio.create_task(self._deliver(owed), name="notification")
            self._in_hand[task] = owed
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        owed = self._in_hand.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lease runs out, and it is tried again.
            log.error("notification failed", delivery=owed.id, error=type(error).__name__)
        self.bell.set()

    async def _deliver(self, owed: Owed) -> None:
        outcome = await self._say(owed)
        if await self._settle(owed, outcome) and outcome.delay_s is None:
            told = log.bind(org_id=owed.org_id, run_id=owed.run_id, channel=owed.channel)
            if outcome.reason:
                told.warning("notification dropped", reason=outcome.reason, attempts=owed.attempt)
            else:
                told.info("notification delivered", attempts=owed.attempt)

    async def _settle(self, owed: Owed, outcome: Outcome) -> bool:
        """Write down what became of it, though the database be away for a moment."""
        loop = asyncio.get_running_loop()
        until = loop.time() + SETTLING
        while True:
            try:
                async with self._database.transaction() as connection:
                    return await store.settle(connection, owed, outcome)
            except Unavailable:
                if loop.time() > until:
                    raise
                await asyncio.sleep(PAUSE)

    async def _say(self, owed: Owed) -> Outcome:
        """Make the message of what is stored now, and send it."""
        async with self._database.connection() as connection:
            try:
                run = await require(connection, owed.org_id, owed.run_id)
            except NotFound:
                return Outcome(GONE)
            report = await report_of(connection, owed.org_id, owed.run_id)
            held = await integrations.values(connection, self._vault, self._settings, owed.org_id)
        if owed.channel not in integrations.configured(held):
            return Outcome(NO_CHANNEL)
        body = rules.message(owed.channel, run, report, self._settings.run_url(run.id))
        said = await integrations.say(self._fetcher, held, owed.channel, body, owed.id)
        return rules.outcome_of(
            owed.attempt, said.error, is_final=said.is_final, later_s=said.later_s
        )
