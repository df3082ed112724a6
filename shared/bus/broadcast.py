"""The broadcast listener: every process hears it, live only, without a database.

For what a process keeps in memory: evicting caches, waking WebSockets, live streams. A handler
must be harmless when called twice, and the process must be right, if slower, when it is not called
at all: what is said while it is disconnected is never delivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic

from shared.bus.events import E, NotJson, WrongShape, decode
from shared.bus.tasks import Owned, cancel, wait
from shared.bus.transport import BusUnavailable, Delivery, Transport, backoff
from shared.log import get_logger

PREFETCH: Final = 200
HANDLER_TIMEOUT: Final = 10.0

log = get_logger()


@dataclass(frozen=True, slots=True)
class BroadcastSubscription(Generic[E]):
    """One kind of event that this process wants to hear, and what it does then."""

    event: type[E]
    handler: Callable[[E], Awaitable[None]]


class Listener(Owned):
    """Hears broadcasts for one process, one event after the other, in an owned task.

    Use as a context manager, or ``start`` and ``stop``.

    Args:
        transport: where the events are.
        name: of the process's kind, such as ``gateway``; each process gets a queue of its own.
        subscriptions: at most one for each kind.
        on_gap: called when events may have been missed, to drop what they would have evicted.
    """

    def __init__(
        self,
        transport: Transport,
        name: str,
        subscriptions: Sequence[BroadcastSubscription[Any]],
        *,
        on_gap: Callable[[], None] | None = None,
    ) -> None:
        self._transport = transport
        self._queue = f"{name}.broadcast"
        self._by_kind = {subscription.event.kind: subscription for subscription in subscriptions}
        self._on_gap = on_gap
        self._stopping = asyncio.Event()
        self._listening = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        if len(self._by_kind) < len(subscriptions):
            raise ValueError(f"{name}: two broadcast subscriptions to the same kind")

    async def start(self) -> None:
        """Begin listening; returns at once, also when the broker is away."""
        self._task = asyncio.create_task(self._run(), name=f"listen {self._queue}")

    async def listening(self) -> None:
        """Wait until this process hears what is said from now on; bound it by a timeout."""
        await self._listening.wait()

    async def stop(self) -> None:
        """Stop listening."""
        self._stopping.set()
        if self._task is not None:
            await cancel(self._task)
            self._task = None

    async def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                await self._transport.declare(self._queue, list(self._by_kind), broadcast=True)
                consuming = self._transport.consume(self._queue, PREFETCH, on_gap=self._on_gap)
                async with consuming as deliveries:
                    self._listening.set()
                    if failures and self._on_gap is not None:
                        self._on_gap()
                    failures = 0
                    async for delivery in deliveries:
                        await self._hear(delivery)
            except BusUnavailable:
                failures += 1
                log.warning("listener waits for the bus", queue=self._queue)
            except Exception:
                failures += 1
                log.exception("listener failed", queue=self._queue)
            await wait(self._stopping, backoff(failures))

    async def _hear(self, delivery: Delivery) -> None:
        message = delivery.message
        subscription = self._by_kind.get(message.kind)
        try:
            if subscription is not None:
                event = decode(subscription.event, message)
                async with asyncio.timeout(HANDLER_TIMEOUT):
                    await subscription.handler(event)
        except (NotJson, WrongShape) as error:
            log.error("broadcast not understood", kind=message.kind, reason=str(error))
        except Exception:
            log.exception("broadcast handler failed", kind=message.kind, event_id=str(message.id))
        finally:
            await delivery.ack()
