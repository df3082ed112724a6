"""A small provider of vectors over HTTP: words that mean the same lie in the same direction."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

SIZE: Final = 8

MEANINGS: Final = (
    {"car", "automobile", "vehicle"},
    {"doctor", "physician", "medic"},
    {"fast", "quick", "rapid"},
    {"boat", "ship", "vessel"},
)


def vector_of(text: str) -> list[float]:
    """Give a vector that has a direction for each meaning, and one for none of them."""
    words = set(text.lower().split())
    numbers = [float(len(words & meaning)) for meaning in MEANINGS]
    return [*numbers, 0.0 if any(numbers) else 1.0, *[0.0] * (SIZE - len(MEANINGS) - 1)]


class Provider:
    """Answers ``POST /v1/embeddings``; what it is told to do instead stands in ``mood``."""

    def __init__(self) -> None:
        self.mood: str | bytes = "well"
        self.texts: list[str] = []
        self.heads: list[bytes] = []
        self.url = ""
        self.silent = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                self.heads.append(head)
                self.texts += body["input"]
                if self.mood == "silent":
                    await self.silent.wait()
                content = self.mood if isinstance(self.mood, bytes) else self._vectors(body)
                status = b"500 Oh no" if self.mood == "broken" else b"200 OK"
                writer.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n" % (status, len(content)))
                writer.write(content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _vectors(self, body: dict[str, Any]) -> bytes:
        assert body["dimensions"] == SIZE
        data = [
            {"object": "embedding", "index": at, "embedding": vector_of(text)}
            for at, text in enumerate(body["input"])
        ]
        return json.dumps({"data": data[::-1], "model": body["model"]}).encode()


@asynccontextmanager
async def running_provider() -> AsyncIterator[Provider]:
    """Serve on a port of its own until the context is left."""
    provider = Provider()
    server = await asyncio.start_server(provider.answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    provider.url = f"http://{host}:{port}/v1"
    try:
        yield provider
    finally:
        provider.silent.set()
        server.close()
