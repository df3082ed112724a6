"""The bell of the PostgreSQL transport: one connection that listens for all queues of a process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from hashlib import md5
from typing import Final

import asyncpg

from shared.bus.transport import backoff
from shared.log import get_logger

CONNECT_TIMEOUT: Final = 5.0
COMMAND_TIMEOUT: Final = 5.0

_UNREACHABLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

log = get_logger()


class Bell:
    """Sets an event when ``NOTIFY`` says that a queue has news; reconnects for ever.

    Only a hint: while it is disconnected, rings are missed, and whoever waits must also poll.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._hearers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._changed = asyncio.Event()

    def hear(self, queue: str, event: asyncio.Event) -> None:
        """Set ``event`` whenever the queue gets a message."""
        self._hearers[_channel(queue)].add(event)
        self._changed.set()

    def ignore(self, queue: str, event: asyncio.Event) -> None:
        """Undo ``hear``."""
        channel = _channel(queue)
        self._hearers[channel].discard(event)
        if not self._hearers[channel]:
            del self._hearers[channel]
        self._changed.set()

    async def run(self) -> None:
        """Listen until cancelled."""
        failures = 0
        while True:
            # A process that only publishes needs no connection.
            while not self._hearers:
                self._changed.clear()
                await self._changed.wait()
            try:
                await self._listen()
                failures = 0
            except _UNREACHABLE as error:
                failures += 1
                log.debug("bell silent", error=repr(error))
            await asyncio.sleep(backoff(failures))

    async def _listen(self) -> None:
        connection = await asyncpg.connect(
            self._url,
            timeout=CONNECT_TIMEOUT,
            command_timeout=COMMAND_TIMEOUT,
            server_settings={"application_name": "guildhall bell"},
        )
        try:
            connection.add_termination_listener(lambda _: self._changed.set())
            listening: set[str] = set()
            while not connection.is_closed():
                self._changed.clear()
                wanted = set(self._hearers)
                for channel in wanted - listening:
                    await connection.add_listener(channel, self._ring)
                    # What came before LISTEN took hold rang no bell.
                    self._ring(None, 0, channel, "")
                for channel in listening - wanted:
                    await connection.remove_listener(channel, self._ring)
                listening = wanted
                await self._changed.wait()
        finally:
            connection.terminate()

    def _ring(self, _connection: object, _pid: int, channel: str, _payload: object) -> None:
        for event in self._hearers.get(channel, ()):
            event.set()


def _channel(queue: str) -> str:
    # As the statements do: channel names end at 63 bytes, queue names do not.
    return "bus:" + md5(queue.encode(), usedforsecurity=False).hexdigest()
