"""Filing what is owed: taken in the database, where nothing waits for a network.

Filings of one issue with one provider are done one after the other, whichever clerk does them. A
clerk that dies loses what it had in hand to another, which looks first at what the tracker heard.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from services.runs.artifacts.operations import Store
from services.runs.issues import operations as issues
from services.runs.issues.models import External
from services.runs.runs import operations as runs
from services.runs.settings import RunsSettings
from services.runs.trackers import store
from services.runs.trackers.models import Outcome, Owed
from services.runs.trackers.operations.filing import Filing
from shared.bus.tasks import Owned, cancel, wait
from shared.db import Connection, Database
from shared.errors import Unavailable
from shared.fetch import Fetcher
from shared.log import get_logger
from shared.service import Resources
from shared.vault import Vault

AT_ONCE: Final = 4
"""Filings that a process does at once."""

OF_ONE: Final = 2
"""Of one organization."""

LEASE: Final = 180.0
"""Seconds: longer than doing one and writing down what became of it can take."""

POLL: Final = 2.0
"""Seconds after which is looked without a bell: for what runs that ended have added."""

REST: Final = 0.1
"""Seconds between two looks, however often the bell rings."""

SHELVED: Final = 60.0
"""Seconds after which is looked again whether it is the turn of what waits for another."""

SETTLING: Final = 20.0
"""Seconds in which is tried again to write down what was filed, before it is looked for again."""

PAUSE: Final = 0.5

STOPPING: Final = 2.0
"""Seconds in which what was broken off is given back."""

log = get_logger()


@asynccontextmanager
async def mirroring(resources: Resources, database: Database) -> AsyncIterator[None]:
    """File what is owed until the context is left."""
    settings: RunsSettings = resources[RunsSettings]
    put = resources[Store].put
    async with Clerk(database, settings, resources[Vault], resources[Fetcher], put):
        yield


class Clerk(Owned):
    """Takes what is due, and files it.

    Args:
        database: the service's.
        settings: of this process.
        vault: opens stored credentials.
        fetcher: reaches only what may be reached.
        put: keeps the reports that change.
        lag_s: seconds in which a tracker's search may not show what was created.
    """

    def __init__(
        self,
        database: Database,
        settings: RunsSettings,
        vault: Vault,
        fetcher: Fetcher,
        put: runs.Put,
        *,
        lag_s: float = 60.0,
    ) -> None:
        self.bell = asyncio.Event()
        self._database = database
        self._put = put
        self._filing = Filing(database, settings, vault, fetcher, lag_s)
        self._in_hand: dict[asyncio.Task[None], Owed] = {}
        self._taking: asyncio.Task[None]

    async def start(self) -> None:
        """Take and file, in owned tasks."""
        self._taking = asyncio.create_task(self._work(), name="trackers")

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
                log.info("tracker filings postponed", reason="database unavailable")
            except Exception:
                # One bad statement must not end the filing of everybody.
                log.exception("tracker filings failed")
            await asyncio.sleep(REST)
            await wait(self.bell, POLL)

    async def _take(self) -> None:
        room = AT_ONCE - len(self._in_hand)
        if room <= 0:
            return
        held = Counter(owed.org_id for owed in self._in_hand.values())
        async with self._database.transaction() as connection:
            if await store.shelve(connection, SHELVED):
                self.bell.set()  # there may be more behind
            taken = await store.claim(connection, list(held), room, OF_ONE, LEASE)
        for owed in taken:
            task = asyncio.create_task(self._file(owed), name="tracker filing")
            self._in_hand[task] = owed
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        owed = self._in_hand.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lease runs out, and it is tried again.
            log.error(
                "tracker filing failed",
                provider=owed.provider,
                run_id=owed.run_id,
                error=type(error).__name__,
            )
        self.bell.set()

    async def _file(self, owed: Owed) -> None:
        outcome = await self._filing.do(owed)
        if await self._settle(owed, outcome):
            told = log.bind(org_id=owed.org_id, run_id=owed.run_id, provider=owed.provider)
            told = told.bind(issue=issues.key_of(owed.number), attempts=owed.attempt)
            if outcome.delay_s is None:
                await runs.keep_report(self._database, self._put, owed.org_id, owed.run_id)
            if outcome.ticket is not None:
                told.info("issue mirrored", key=outcome.ticket.shown, created=outcome.is_new)
            elif outcome.delay_s is None:
                told.warning("issue not mirrored", reason=outcome.reason)
            else:
                told.info("mirroring postponed", reason=outcome.reason)

    async def _settle(self, owed: Owed, outcome: Outcome) -> bool:
        """Write down what became of it, though the database be away for a moment."""
        loop = asyncio.get_running_loop()
        until = loop.time() + SETTLING
        while True:
            try:
                async with self._database.transaction() as connection:
                    return await _note(connection, owed, outcome)
            except Unavailable:
                if loop.time() > until:
                    raise
                await asyncio.sleep(PAUSE)


async def _note(connection: Connection, owed: Owed, outcome: Outcome) -> bool:
    """Write down what became of a filing; False if it is somebody else's by now."""
    if not await store.hold(connection, owed):
        return False
    await store.settle(connection, owed, outcome)
    ticket = outcome.ticket
    if ticket is not None:
        await store.write_link(connection, owed, outcome.place, ticket.key, is_creating=False)
        external = External(provider=owed.provider, key=ticket.shown, url=ticket.url)
        await issues.note_external(connection, owed.org_id, owed.number, external)
    if outcome.delay_s is None:
        filed = {
            "provider": owed.provider,
            "key": None if ticket is None else ticket.shown,
            "url": None if ticket is None else ticket.url,
            "case_id": owed.case_id,
            "created": outcome.is_new,
        }
        if ticket is None:
            filed["error"] = outcome.reason
        await runs.note_filed(connection, owed.org_id, owed.run_id, filed)
        await store.call_next(connection, owed)
    elif outcome.is_for_all:
        await store.put_off(connection, owed.org_id, owed.provider, outcome.delay_s)
    return True
