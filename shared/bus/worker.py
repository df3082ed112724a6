"""The worker: takes a service's deliveries, and gives each one effect.

Every subscription has a queue of its own, ``<schema>.<consumer>``, shared by the replicas of the
service. So a handler that fails or hangs holds up nobody else, two consumers of one kind each get
it, and a replay can aim at one of them. A consumer's name belongs to one kind for ever: what of
another kind comes to its queue is parked.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic

from structlog.contextvars import bound_contextvars

from shared.bus import inbox, metrics
from shared.bus.events import E, Event, NotJson, WrongShape, decode, schema_name
from shared.bus.tasks import Owned, cancel, wait
from shared.bus.transport import BusUnavailable, Delivery, Transport, backoff
from shared.db import Connection, Database
from shared.errors import Unavailable
from shared.log import get_logger

RETRY_DELAYS: Final = (1.0, 5.0, 30.0, 120.0)
"""Seconds before the second and each later attempt; after the fifth the event is parked."""

UPKEEP_INTERVAL: Final = 60.0
SWEEP_INTERVAL: Final = 3_600.0
PARKED_CAP: Final = 10_000

DATABASE_PAUSE: Final = 1.0
"""Seconds a lane rests when the database is away, so as not to churn the queue."""

log = get_logger()


@dataclass(frozen=True, slots=True)
class Subscription(Generic[E]):
    """One row of a service's SUBSCRIPTIONS table: durable work, done once by one replica.

    ``handler(connection, event)`` runs inside the transaction that notes the event as handled; it
    may see events late and out of order. ``concurrency`` is how many events of this consumer one
    process handles at once, each on a connection of the pool.
    """

    consumer: str
    event: type[E]
    handler: Callable[[Connection, E], Awaitable[None]]
    concurrency: int = 1
    timeout_s: float = 30.0


async def declare_queues(
    transport: Transport, schema: str, subscriptions: Sequence[Subscription[Any]]
) -> None:
    """Bind the queue of each subscription, so that nothing said from now on is dropped.

    Raises:
        BusUnavailable: the broker is away.
    """
    for subscription in subscriptions:
        await transport.declare(_queue(schema, subscription), [subscription.event.kind])


def _queue(schema: str, subscription: Subscription[Any]) -> str:
    return f"{schema}.{subscription.consumer}"


class Worker(Owned):
    """Runs the subscriptions of one service. Use as a context manager, or ``start`` and ``stop``.

    Args:
        database: the service's own.
        schema: the service's name.
        transport: where its queues are.
        subscriptions: what it hears.
        retry_delays: seconds before each further attempt; one attempt more than delays.
    """

    def __init__(
        self,
        database: Database,
        schema: str,
        transport: Transport,
        subscriptions: Sequence[Subscription[Any]],
        *,
        retry_delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        self._database = database
        self._schema = schema_name(schema)
        self._transport = transport
        self._subscriptions = subscriptions
        self._retry_delays = tuple(retry_delays)
        self._stopping = asyncio.Event()
        self._idle: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        consumers = [subscription.consumer for subscription in subscriptions]
        if len(set(consumers)) < len(consumers):
            raise ValueError(f"{schema}: two subscriptions have the same consumer name")

    async def start(self) -> None:
        """Declare every queue, then begin consuming in owned tasks.

        A kind that nobody is bound to is dropped, so the queues must be there before the service
        says that it is ready. When the broker is away, that is made up for in the background.
        """
        self._stopping.clear()
        try:
            await declare_queues(self._transport, self._schema, self._subscriptions)
        except BusUnavailable:
            log.warning("queues not declared yet", schema=self._schema)
        self._tasks = [
            asyncio.create_task(
                self._consume(subscription), name=f"consume {subscription.consumer}"
            )
            for subscription in self._subscriptions
        ]
        self._tasks.append(asyncio.create_task(self._upkeep(), name=f"upkeep {self._schema}"))

    async def stop(self, grace: float = 5.0) -> None:
        """Take nothing new, finish what is in hand within ``grace`` seconds, give the rest back."""
        self._stopping.set()
        for task in self._idle:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        await cancel(*self._tasks)
        self._tasks = []

    async def _consume(self, subscription: Subscription[Any]) -> None:
        queue = _queue(self._schema, subscription)
        prefetch = max(16, 4 * subscription.concurrency)
        failures = 0
        while not self._stopping.is_set():
            try:
                await declare_queues(self._transport, self._schema, [subscription])
                async with self._transport.consume(queue, prefetch) as deliveries:
                    failures = 0
                    await self._run_lanes(subscription, deliveries)
            except BusUnavailable as error:
                failures += 1
                cause = repr(error.__cause__)
                log.warning("consumer waits for the bus", queue=queue, cause=cause)
                await wait(self._stopping, backoff(failures))
            except Exception:
                failures += 1
                log.exception("consumer failed", queue=queue)
                await wait(self._stopping, backoff(failures))

    async def _run_lanes(
        self, subscription: Subscription[Any], deliveries: AsyncIterator[Delivery]
    ) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(subscription.concurrency):
                group.create_task(self._lane(subscription, deliveries))

    async def _lane(
        self, subscription: Subscription[Any], deliveries: AsyncIterator[Delivery]
    ) -> None:
        """Handle one delivery after the other until told to stop."""
        task = asyncio.current_task()
        assert task is not None
        while not self._stopping.is_set():
            self._idle.add(task)
            try:
                delivery = await anext(deliveries)
            except asyncio.CancelledError:
                if self._stopping.is_set():
                    return
                raise
            finally:
                self._idle.discard(task)
            message = delivery.message
            with bound_contextvars(
                consumer=subscription.consumer,
                event_id=str(message.id),
                kind=message.kind,
                traceparent=message.traceparent,
            ):
                await self._process(subscription, delivery)

    async def _process(self, subscription: Subscription[Any], delivery: Delivery) -> None:
        """Bring one delivery to its end: handled, to be retried, or parked."""
        message = delivery.message
        try:
            event = decode(subscription.event, message)
        except NotJson as error:
            log.error("event parked by the transport", reason=str(error))
            metrics.PARKED.labels(self._schema, subscription.consumer).inc()
            await delivery.park(str(error))
            return
        except WrongShape as error:
            await self._park(subscription, delivery, 0, str(error))
            return
        try:
            async with self._database.connection() as connection:
                attempt = await inbox.count_attempt(
                    connection, self._schema, subscription.consumer, message.id
                )
        except Unavailable:
            # No fault of the event: not counted, only put off.
            await delivery.retry(self._retry_delays[0])
            await wait(self._stopping, DATABASE_PAUSE)
            return
        if attempt is None:
            await delivery.ack()
        elif attempt > len(self._retry_delays) + 1:
            await self._park(subscription, delivery, attempt - 1, "no attempt came to an end")
        else:
            await self._attempt(subscription, delivery, event, attempt)

    async def _attempt(
        self, subscription: Subscription[Any], delivery: Delivery, event: Event, attempt: int
    ) -> None:
        started = time.perf_counter()
        consumer = subscription.consumer
        try:
            async with (
                asyncio.timeout(subscription.timeout_s),
                self._database.transaction() as connection,
            ):
                if await inbox.settle(connection, self._schema, consumer, event.event_id):
                    await subscription.handler(connection, event)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            if attempt > len(self._retry_delays):
                await self._park(subscription, delivery, attempt, reason)
                return
            delay = self._retry_delays[attempt - 1]
            log.warning("event to be retried", attempt=attempt, delay=delay, exc_info=error)
            metrics.RETRIED.labels(self._schema, consumer).inc()
            await delivery.retry(delay)
        else:
            await delivery.ack()
            metrics.HANDLED.labels(self._schema, consumer).inc()
            metrics.DURATION.labels(self._schema, consumer).observe(time.perf_counter() - started)

    async def _park(
        self, subscription: Subscription[Any], delivery: Delivery, attempts: int, reason: str
    ) -> None:
        try:
            async with self._database.connection() as connection:
                await inbox.park(
                    connection,
                    self._schema,
                    subscription.consumer,
                    delivery.message,
                    attempts,
                    reason,
                )
        except Unavailable:
            await delivery.retry(self._retry_delays[-1])
            return
        log.error("event parked", attempts=attempts, reason=reason)
        metrics.PARKED.labels(self._schema, subscription.consumer).inc()
        await delivery.ack()

    async def _upkeep(self) -> None:
        """Show how much is parked, and sweep the inbox, until told to stop."""
        sweep_at = time.monotonic() + random.uniform(0, SWEEP_INTERVAL)  # noqa: S311 - spreads load
        while not self._stopping.is_set():
            try:
                async with self._database.connection() as connection:
                    parked = await inbox.count_parked(connection, self._schema, PARKED_CAP)
                    metrics.PARKED_NOW.labels(self._schema).set(parked)
                    if time.monotonic() >= sweep_at:
                        sweep_at = time.monotonic() + SWEEP_INTERVAL
                        while await inbox.sweep(connection, self._schema):
                            pass
            except Unavailable:
                log.debug("upkeep waits for the database")
            except Exception:
                log.exception("upkeep failed", schema=self._schema)
            await wait(self._stopping, UPKEEP_INTERVAL)
