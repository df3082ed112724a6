"""The seam between the bus and what carries it: RabbitMQ or PostgreSQL, chosen by the URL.

Both promise the weaker of the two: at least once, no order across retries, competing consumers or
restarts. Both live through their server going away: they reconnect by themselves, and what was
accepted is still there afterwards. One conformance suite runs against both.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlsplit

from shared.bus.events import Message
from shared.errors import Unavailable

QUEUE_NAME_LENGTH: Final = 100
"""Most characters of a queue's name; RabbitMQ would take 255 bytes, less our suffixes."""


class BusUnavailable(Unavailable):
    """The transport's server cannot be reached, or did not confirm in time."""

    code = "bus_unavailable"
    message = "The event bus cannot be reached"


class Delivery(Protocol):
    """One message handed to one consumer, to be settled once.

    Settling never raises: what cannot be settled because the server is away is delivered again.
    """

    @property
    def message(self) -> Message:
        """The message."""

    async def ack(self) -> None:
        """Done with it. Takes hold soon, not at once: a crash right after may deliver it again."""

    async def retry(self, delay_s: float) -> None:
        """Deliver it again, to this queue only, not before ``delay_s`` seconds have passed."""

    async def park(self, reason: str) -> None:
        """Put it aside, out of every queue, for a person to look at: it cannot be decoded."""


class Transport(Protocol):
    """What carries messages from publishers to the queues bound to their kind."""

    async def declare(self, queue: str, kinds: Sequence[str], *, broadcast: bool = False) -> None:
        """Make a queue and bind it to these kinds, beside those it already has. Idempotent.

        Args:
            queue: the name; for a work queue, shared by all processes that consume it.
            kinds: which messages it gets.
            broadcast: a queue of this process alone, which gets what is published while it is
                consumed and dies with the process.

        Raises:
            BusUnavailable: the server cannot be reached.
        """

    async def publish(self, messages: Sequence[Message], *, queue: str | None = None) -> None:
        """Put each message into every queue bound to its kind; return when that is durable.

        A message whose kind nobody is bound to is dropped without a word: a fact that nobody
        wants to hear is not an error. With ``queue``, the messages go to that work queue alone,
        whatever their kind. Calls may overlap, and are carried out in their order.

        Raises:
            BusUnavailable: not durable within the timeout. Some may have been accepted, so that
                publishing them again can deliver them twice.
        """

    def consume(
        self, queue: str, prefetch: int, *, on_gap: Callable[[], None] | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """Take messages of a declared queue, across reconnections, until the context is left.

        Several tasks may iterate at once. Deliveries not settled when the context is left go back
        to the queue.

        Args:
            queue: a name that ``declare`` of this transport was given.
            prefetch: most deliveries taken and not yet settled.
            on_gap: called when a broadcast queue has been away, so that messages may be missing.

        Raises:
            BusUnavailable: the server cannot be reached, on entering.
        """

    async def remove(self, queue: str) -> None:
        """Delete a work queue with its bindings and all that is in it; for retired consumers.

        Raises:
            BusUnavailable: the server cannot be reached.
        """

    async def ping(self) -> None:
        """Ask whether publishing and consuming would work now.

        Raises:
            BusUnavailable: they would not.
        """

    async def close(self) -> None:
        """Settle what is settled, give back the rest, disconnect. Takes at most some seconds."""


@dataclass(slots=True)
class DeclaredQueue:
    """What ``declare`` was told, to be told again to a server that has forgotten it."""

    name: str
    broadcast: bool
    kinds: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if len(self.name) > QUEUE_NAME_LENGTH:
            raise ValueError(f"a queue's name has at most {QUEUE_NAME_LENGTH} characters")


class Deliveries:
    """The iterator that ``consume`` yields: a buffer bounded by the prefetch."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue()

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self

    async def __anext__(self) -> Delivery:
        return await self._queue.get()

    def put(self, delivery: Delivery) -> None:
        """Hand over a delivery; the transport sees to it that they are never over the prefetch."""
        self._queue.put_nowait(delivery)

    def clear(self) -> None:
        """Forget what nobody has taken yet: it will be delivered anew."""
        while not self._queue.empty():
            self._queue.get_nowait()


async def connect(url: str) -> Transport:
    """Make the transport for a broker URL and start connecting in the background.

    Args:
        url: ``amqp://``, ``amqps://``, ``postgres://`` or ``postgresql://``.

    Raises:
        ValueError: the scheme is none of these.
    """
    scheme = urlsplit(url).scheme
    # Imported here, so that a process pays memory only for the transport it uses.
    if scheme in ("amqp", "amqps"):
        from shared.bus.rabbit_transport import RabbitTransport

        return RabbitTransport(url)
    if scheme in ("postgres", "postgresql"):
        from shared.bus.postgres import PostgresTransport

        return PostgresTransport(url)
    raise ValueError(f"the broker URL's scheme is {scheme!r}: only amqp(s) and postgres(ql) work")


def backoff(failures: int, longest: float = 5.0) -> float:
    """Seconds to wait after so many failures in a row: doubling from 0.1 s, with jitter."""
    step: float = min(longest, 0.1 * 2 ** min(failures, 10))
    return step * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, protects nothing
