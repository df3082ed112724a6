"""The load generator for machines without wrk; see ``bench.load``."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import cast

import httptools
import uvloop


class _Client(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], deadline: float) -> None:
        self._requests = requests
        self._deadline = deadline
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._sent = 0.0
        self.latencies: list[float] = []
        self.failures = 0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        self.latencies.append(now - self._sent)
        self.failures += self._parser.get_status_code() >= 400
        if now < self._deadline:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.failures += error is not None
        if not self.done.done():
            self.done.set_result(None)


def requests(path: str, tokens: list[str]) -> Iterator[bytes]:
    """Write one request after the other; see ``bench.load.Requests``."""
    for number in count():
        target = path % (number + 1) if "%d" in path else path
        token = tokens[number % len(tokens)]
        head = f"GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}"
        yield f"{head}\r\n\r\n".encode()


async def _run(port: int, path: str, tokens: list[str], seconds: float, connections: int) -> str:
    asked = requests(path, tokens)
    deadline = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(
            lambda: _Client(asked, deadline), "127.0.0.1", port
        )
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    latencies = sorted(one for client in clients for one in client.latencies)
    failures = sum(client.failures for client in clients)
    median, p99 = (latencies[int(len(latencies) * part)] * 1e6 for part in (0.5, 0.99))
    return f"RESULT {len(latencies)} {failures} {median:.0f} {p99:.0f}"


if __name__ == "__main__":
    _, port, path, tokens, seconds, connections = sys.argv
    result = uvloop.run(
        _run(int(port), path, Path(tokens).read_text().split(), float(seconds), int(connections))
    )
    sys.stdout.write(result + "\n")
