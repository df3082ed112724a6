"""Delivering what waits: turns are taken in the database, and nothing there waits for a network.

A webhook is held by one process for a while; a process that is killed loses it to another, which
delivers again under the same message id. No organization gets a second turn before others got
their first.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from services.learnings.settings import LearningsSettings
from services.learnings.webhooks import rules
from services.learnings.webhooks.models import Due, Health, Outcome, Turn
from services.learnings.webhooks.operations.ringing import ring_if_noted
from services.learnings.webhooks.operations.telling import tell_news
from services.learnings.webhooks.store import hooks, news, turns
from shared.db import Database
from shared.errors import Unavailable
from shared.fetch import Fetcher, FetchFailed
from shared.log import get_logger
from shared.service import Resources
from shared.vault import Vault

AT_ONCE: Final = 2
"""Deliveries to one webhook at once."""

WEBHOOKS: Final = 10
"""Webhooks that a process delivers to at once."""

WEBHOOKS_OF_ONE: Final = 3
"""Of one organization."""

SEND_SECONDS: Final = 10.0
LEASE_SECONDS: Final = 30.0
"""Longer than an attempt and writing down what became of it can take."""

POLL: Final = 2.0
"""Seconds after which is looked without a bell: for retries, and for what other processes add."""

log = get_logger()


@asynccontextmanager
async def delivering(resources: Resources, database: Database) -> AsyncIterator[None]:
    """Deliver what is due until the context is left."""
    settings: LearningsSettings = resources[LearningsSettings]
    async with Fetcher.opened(settings.targets()) as fetcher:
        courier = Courier(database, fetcher, resources[Vault])
        database.on_commit(courier.committed)
        task = asyncio.create_task(courier.run(), name="webhooks")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await courier.stop()


class Courier:
    """Takes turns and delivers, as many at once as may be.

    Args:
        database: the service's.
        fetcher: reaches only what may be reached.
        vault: opens secrets.
    """

    def __init__(self, database: Database, fetcher: Fetcher, vault: Vault) -> None:
        self._database = database
        self._fetcher = fetcher
        self._vault = vault
        self._bell = asyncio.Event()
        self._is_listened = False
        self._turns: dict[asyncio.Task[None], Turn] = {}

    def committed(self) -> None:
        """Look at once if the transaction that was just committed may have added something."""
        if self._is_listened:
            self._bell.set()
        else:
            ring_if_noted(self._bell)

    async def run(self) -> None:
        """Take turns for as long as the task lives."""
        while True:
            self._bell.clear()
            try:
                await self._tell()
                if await self._take_turns():
                    continue
            except Unavailable:
                log.info("webhooks postponed", reason="database unavailable")
            except Exception:
                # One bad statement must not end the delivering of everything.
                log.exception("webhooks failed")
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._bell.wait()

    async def stop(self) -> None:
        """Break off what is under way, and let others have it."""
        unfinished = dict(self._turns)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        if unfinished:
            with suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(2), self._database.connection() as connection:
                    await turns.give_back(connection, list(unfinished.values()))

    async def _tell(self) -> None:
        async with self._database.connection() as connection:
            self._is_listened = await news.any_webhook(connection)
        while self._is_listened and await tell_news(self._database):
            pass

    async def _take_turns(self) -> bool:
        """Take turns while there is room for more; tell whether any were there."""
        room = WEBHOOKS - len(self._turns)
        if room <= 0:
            return False
        async with self._database.connection() as connection:
            taken = await turns.claim(
                connection,
                Counter(turn.org_id for turn in self._turns.values()),
                most=room,
                most_of_one=WEBHOOKS_OF_ONE,
                deliveries=AT_ONCE,
                lease_s=LEASE_SECONDS,
            )
        for turn in taken:
            task = asyncio.create_task(self._take(turn), name="webhook")
            self._turns[task] = turn
            task.add_done_callback(self._done)
        return bool(taken)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._turns.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lease runs out, and the delivery is made again.
            log.error("webhook turn failed", exc_info=error)
        self._bell.set()

    async def _take(self, turn: Turn) -> None:
        keys = self._keys(turn)
        outcomes = await asyncio.gather(*(self._deliver(turn, keys, due) for due in turn.due))
        await self._settle(turn, outcomes)

    def _keys(self, turn: Turn) -> list[bytes]:
        sealed = [turn.sealed.secret, turn.sealed.old_secret]
        try:
            return [self._vault.open(each) for each in sealed if each is not None]
        except ValueError:
            log.error("webhook secret cannot be read", webhook=turn.webhook_id)
            return []

    async def _deliver(self, turn: Turn, keys: list[bytes], due: Due) -> Outcome:
        started, body = time.perf_counter(), due.body.encode()
        status, text = None, ""
        if keys:
            headers = rules.headers_of(keys, due, int(time.time()), body)
            try:
                sent = await self._fetcher.send(turn.url, body, headers, SEND_SECONDS)
                status, text = sent.status, rules.shown(sent.beginning)
                error = rules.error_of_status(status)
            except FetchFailed as failed:
                error = rules.error_of_failure(failed.reason)
        else:
            error = "secret"
        return Outcome(
            delivery_id=due.id,
            attempts=due.attempts,
            error=error,
            response_status=status,
            response_text=text,
            duration_ms=round((time.perf_counter() - started) * 1000),
            delay_s=rules.delay_after(due.attempt, error),
        )

    async def _settle(self, turn: Turn, outcomes: list[Outcome]) -> None:
        """Write down what became of a turn, and let go of its webhook."""
        org_id, webhook_id = turn.org_id, turn.webhook_id
        async with self._database.transaction() as connection:
            standing = await hooks.lock(connection, org_id, webhook_id)
            if standing is None:
                return  # deleted meanwhile, its deliveries too
            rest = 0.0
            if outcomes:
                now = standing["now"]
                before = Health(
                    standing["failures"], standing["failing_since"], standing["given_up"]
                )
                health = rules.health_after(before, outcomes, now)
                succeeded = any(not outcome.error for outcome in outcomes)
                await turns.write_outcomes(connection, org_id, outcomes)
                await turns.write_health(
                    connection, org_id, webhook_id, health, succeeded=succeeded
                )
                reason = rules.reason_to_disable(health, outcomes, now)
                if reason is not None and standing["disabled_at"] is None:
                    await hooks.disable(connection, org_id, webhook_id, reason)
                    log.warning("webhook disabled", webhook=webhook_id, reason=reason)
                rest = rules.rest_after(health)
            await turns.release(connection, turn, rest)
