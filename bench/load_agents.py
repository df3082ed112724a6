"""Sessions that talk, and a model that is slow: what ``bench.agents`` asks and is asked."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from bench.service import CONNECTIONS, ask, head, with_body
from shared.principal import Principal

SESSIONS: Final = "/api/v0/sessions"
WAIT: Final = 60.0
LARGEST: Final = 2**20


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds that turns took."""

    taken: Sequence[float]

    def at(self, percent: int) -> float:
        """Give the time that so many per cent were done within."""
        return statistics.quantiles(self.taken, n=100)[percent - 1]


class Talker:
    """One session, spoken to on one connection and followed on another."""

    def __init__(self, port: int, caller: Principal, session_id: str) -> None:
        self._port = port
        self._caller = caller
        self._path = f"{SESSIONS}/{session_id}"
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._stream: asyncio.StreamReader
        self._closing: asyncio.StreamWriter

    @classmethod
    async def opened(cls, port: int, caller: Principal, session_id: str) -> Talker:
        """Connect, and follow the session from now on."""
        talker = cls(port, caller, session_id)
        talker._reader, talker._writer = await asyncio.open_connection("127.0.0.1", port)
        talker._stream, talker._closing = await asyncio.open_connection(
            "127.0.0.1", port, limit=LARGEST
        )
        talker._closing.write(head("agents", caller, "GET", talker._path + "/events") + b"\r\n")
        answer = await talker._stream.readuntil(b"\r\n\r\n")
        if b" 200 " not in answer:
            raise SystemExit(f"unexpected answer: {answer!r}")
        return talker

    async def ask(self, text: str) -> float:
        """Say something, wait until the stream tells the answer; give the milliseconds."""
        body = json.dumps({"role": "USER", "content": text}).encode()
        start = head("agents", self._caller, "POST", self._path + "/messages")
        started = time.perf_counter()
        await ask(self._reader, self._writer, with_body(start, body))
        async with asyncio.timeout(WAIT):
            while True:
                line = await self._stream.readline()
                if not line:
                    raise SystemExit("the stream ended")
                if line.startswith(b"data:") and b'"role":"AGENT"' in line:
                    return (time.perf_counter() - started) * 1e3

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
        self._closing.close()


async def create_sessions(port: int, caller: Principal, count: int, model: str) -> list[str]:
    """Make so many sessions with one agent of a model; give their ids once they are READY."""
    made: list[str] = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    agent = {"name": f"bench-{time.monotonic_ns()}", "namespace": "talk", "model": model}
    start = head("agents", caller, "POST", "/api/v0/agents")
    answer = await ask(reader, writer, with_body(start, json.dumps(agent).encode()))
    body = {"namespace": "talk", "agent_ids": [json.loads(answer)["id"]]}
    for _ in range(count):
        # An assertion of the gateway's lives for half a minute.
        start = head("agents", caller, "POST", SESSIONS)
        answer = await ask(reader, writer, with_body(start, json.dumps(body).encode()))
        made.append(json.loads(answer)["id"])
    deadline = time.perf_counter() + WAIT
    for one in made:
        while True:
            look = head("agents", caller, "GET", f"{SESSIONS}/{one}") + b"\r\n"
            if json.loads(await ask(reader, writer, look))["state"] == "READY":
                break
            if time.perf_counter() > deadline:
                raise SystemExit("a session does not become READY")
            await asyncio.sleep(0.02)
    writer.close()
    return made


async def say_in(port: int, caller: Principal, ids: Sequence[str]) -> None:
    """Say one thing in each of these sessions, 16 messages under way at a time."""
    left = iter(ids)
    body = json.dumps({"role": "USER", "content": "What do you think?"}).encode()

    async def lane() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for one in left:
            start = head("agents", caller, "POST", f"{SESSIONS}/{one}/messages")
            await ask(reader, writer, with_body(start, body))
        writer.close()

    async with asyncio.TaskGroup() as lanes:
        for _ in range(CONNECTIONS):
            lanes.create_task(lane())


class Model:
    """A model that thinks for a while, by the chat completions wire.

    Attributes:
        url: of its API.
        most: questions that it had at the same time.
    """

    def __init__(self, thinking_s: float) -> None:
        self._thinking_s = thinking_s
        self._now = 0
        self.most = 0
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def opened(cls, thinking_s: float) -> AsyncIterator[Model]:
        """Serve on a free port until the context is left."""
        model = cls(thinking_s)
        server = await asyncio.start_server(model._serve, "127.0.0.1", 0, backlog=2048)
        model.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        try:
            yield model
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = await reader.readuntil(b"\r\n\r\n")
            length = int(asked.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            self._now += 1
            self.most = max(self.most, self._now)
            await asyncio.sleep(self._thinking_s)
            self._now -= 1
            message = {"role": "assistant", "content": "I thought about it."}
            answer = json.dumps(
                {
                    "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
                }
            ).encode()
            fields = b"content-type: application/json\r\nconnection: close\r\n"
            size = b"content-length: %d\r\n\r\n" % len(answer)
            writer.write(b"HTTP/1.1 200 OK\r\n" + fields + size + answer)
            await writer.drain()
        finally:
            writer.close()
