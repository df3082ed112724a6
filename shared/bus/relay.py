"""The relay: moves a service's events from its outbox to the transport."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from functools import partial
from typing import Final

from shared.bus import metrics, outbox
from shared.bus.events import schema_name
from shared.bus.tasks import Owned, cancel, wait
from shared.bus.transport import Transport, backoff
from shared.db import Database
from shared.errors import Unavailable
from shared.log import get_logger

BATCH: Final = 200
"""Rows claimed, published and deleted together."""

UNDER_WAY: Final = 3
"""Most batches claimed and not yet deleted."""

POLL: Final = 1.0
"""Seconds between looks at the outbox when no bell rings."""

GATHER: Final = 0.02
"""Seconds of rest after a small batch. The first event after a quiet time goes at once; a busy
service's events then go by tens, or the relay would cost as much as the requests."""

CLAIM: Final = 30.0
"""Seconds a claim holds: longer than any publication may take."""

DEPTH_INTERVAL: Final = 15.0
DEPTH_CAP: Final = 10_000

log = get_logger()


class Relay(Owned):
    """Publishes what lies in ``<schema>.outbox``, oldest first; several may run at once.

    A batch is claimed in one short transaction, published, and deleted in another, so that no
    transaction is open while the broker is asked: a slow broker then costs no connection, no row
    lock and no vacuum. A relay that dies in between leaves its claim to run out, and the batch is
    published again; consumers' inboxes drop what they have seen.

    Use as a context manager, or ``start`` and ``stop``.
    """

    def __init__(self, database: Database, schema: str, transport: Transport) -> None:
        self._database = database
        self._schema = schema_name(schema)
        self._transport = transport
        self._bell = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._depth_due = 0.0
        database.on_commit(partial(outbox.ring, schema))

    async def start(self) -> None:
        """Begin relaying in an owned task."""
        self._stopping.clear()
        outbox.hear(self._schema, self._bell)
        self._task = asyncio.create_task(self._run(), name=f"relay {self._schema}")

    async def stop(self, grace: float = 3.0) -> None:
        """Finish the batch in hand, at most ``grace`` seconds, then end."""
        if self._task is None:
            return
        outbox.ignore(self._schema, self._bell)
        self._stopping.set()
        self._bell.set()
        await asyncio.wait([self._task], timeout=grace)
        await cancel(self._task)
        self._task = None

    async def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._bell.clear()
            try:
                await self._measure()
                moved = await self._move()
            except Unavailable as error:
                failures += 1
                if failures == 1:
                    log.warning("relay waits", schema=self._schema, reason=error.code)
            except Exception:
                failures += 1
                log.exception("relay failed", schema=self._schema)
            else:
                if failures:
                    log.info("relay goes on", schema=self._schema)
                failures = 0
                if 0 < moved < BATCH:
                    await wait(self._stopping, GATHER)
                if moved < BATCH:
                    await wait(self._bell, POLL)
                continue
            # Not the bell: each commit would cut the wait short while the broker is down.
            await wait(self._stopping, backoff(failures))

    async def _move(self) -> int:
        """Move what lies in the outbox, and return how many rows the last claim found.

        While a full batch waits for its confirms, the next is claimed already, and goes out behind
        it: so the broker's disk and ours are not waited for in turn.
        """
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                async with self._database.connection() as connection:
                    rows = await outbox.claim(connection, self._schema, BATCH, CLAIM)
                if rows:
                    under_way.add(asyncio.create_task(self._finish(rows)))
                if len(rows) < BATCH or self._stopping.is_set():
                    return len(rows)
                if len(under_way) >= UNDER_WAY:
                    done, under_way = await asyncio.wait(
                        under_way, return_when=asyncio.FIRST_COMPLETED
                    )
                    await asyncio.gather(*done)
        except asyncio.CancelledError:
            await cancel(*under_way)
            raise
        finally:
            await asyncio.gather(*under_way)

    async def _finish(self, rows: list[outbox.Claimed]) -> None:
        """Publish and delete what was claimed, or give it back."""
        ids = [row.id for row in rows]
        try:
            await self._publish(rows)
        except Exception:
            async with self._database.connection() as connection:
                await outbox.release(connection, self._schema, ids)
            raise
        async with self._database.connection() as connection:
            await outbox.delete(connection, self._schema, ids)
        for kind, count in Counter(row.message.kind for row in rows).items():
            metrics.PUBLISHED.labels(self._schema, kind).inc(count)

    async def _publish(self, rows: list[outbox.Claimed]) -> None:
        by_queue: defaultdict[str | None, list[outbox.Claimed]] = defaultdict(list)
        for row in rows:
            by_queue[row.queue].append(row)
        for queue, group in by_queue.items():
            await self._transport.publish([row.message for row in group], queue=queue)

    async def _measure(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._depth_due:
            return
        self._depth_due = now + DEPTH_INTERVAL
        async with self._database.connection() as connection:
            depth = await outbox.depth(connection, self._schema, DEPTH_CAP)
        metrics.OUTBOX_DEPTH.labels(self._schema).set(depth)
