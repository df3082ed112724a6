"""Thousands of callers who take their time, in a process of their own.

Run with port, number of idle callers and number of slow ones. Idle callers ask once and keep their
connection; slow ones send the head of a request in drops. Each line on standard output is a JSON
object: ``{"open": true}`` when all are there, then what became of the slow ones when the last of
them was let go. A line on standard input ends it: every idle caller asks once more.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections import Counter
from typing import Any

import uvloop

WAVE = 400
"""Connections that are opened at the same time; fewer than wait in a server's backlog."""

START = b"GET /v1/learnings HTTP/1.1\r\nhost: x\r\nx-drops: "
QUESTION = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"


class Caller(asyncio.Protocol):
    """A caller; ``heard`` is called with all that came whenever something comes."""

    def __init__(self) -> None:
        self.answers = b""
        self.transport: asyncio.Transport
        self.changed = asyncio.Event()
        self.is_gone = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.answers += data
        self.changed.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_gone = True
        self.changed.set()

    def ask(self) -> None:
        """Ask a whole question."""
        self.answers = b""
        self.transport.write(QUESTION)

    async def answered(self) -> bool:
        """Wait for a good answer, or for the end of the connection."""
        while not (self.is_gone or b'"}' in self.answers):
            self.changed.clear()
            await self.changed.wait()
        return self.answers.startswith(b"HTTP/1.1 200 ")


async def _gather(port: int, number: int) -> list[Caller]:
    loop = asyncio.get_running_loop()
    callers: list[Caller] = []
    while len(callers) < number:
        wave = min(WAVE, number - len(callers))
        opened = await asyncio.gather(
            *(loop.create_connection(Caller, "127.0.0.1", port) for _ in range(wave))
        )
        callers += [caller for _, caller in opened]
    return callers


def _say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def _run(port: int, idle: int, slow: int) -> None:
    idlers = await _gather(port, idle)
    for caller in idlers:
        caller.ask()
    good = await asyncio.gather(*(caller.answered() for caller in idlers))
    drippers = await _gather(port, slow)
    for caller in drippers:
        caller.transport.write(START)
    _say(open=sum(good))
    while not all(caller.is_gone for caller in drippers):
        for caller in drippers:
            if not caller.is_gone:
                caller.transport.write(b"x")
        await asyncio.sleep(0.5)
    _say(ended=Counter(caller.answers[:12].decode() for caller in drippers))
    await asyncio.to_thread(sys.stdin.readline)
    left = sum(not caller.is_gone for caller in idlers)
    for caller in idlers:
        caller.ask()
    good = await asyncio.gather(*(caller.answered() for caller in idlers))
    _say(left=left, good=sum(good))


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(_run(*map(int, sys.argv[1:4])))
