"""Pages made for one test, traps that nobody may reach, and stages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from services.runs.engine.browser.browsers import Browsers
from services.runs.engine.browser.models import BrowserSettings, Reading
from services.runs.engine.browser.stage import Stage
from services.runs.engine.resolver.models import Candidate
from shared.targets import TargetPolicy, read_targets

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


@dataclass
class Asked:
    """A request as a server saw it."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Pages:
    """A server of pages that tests put into it: path -> HTML, or a whole answer in bytes."""

    port: int = 0
    content: dict[str, str | bytes] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def other(self) -> str:
        """The same by another name: another origin and another site."""
        return f"http://localhost:{self.port}"

    def saw(self, path: str) -> list[Asked]:
        return [each for each in self.asked if each.path == path]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = {
                    name.strip().lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head[1:] if line)
                }
                await reader.readexactly(int(headers.get("content-length", "0")))
                self.asked.append(Asked(method, path, headers))
                found = self.content.get(path.partition("?")[0])
                if path.startswith("/hang"):
                    continue
                writer.write(found if isinstance(found, bytes) else page(found))
                await writer.drain()
        writer.close()


def page(html: str | None, status: str = "200 OK", fields: str = "") -> bytes:
    """An answer with HTML in it."""
    if html is None:
        html, status = "nothing here", "404 Not Found"
    body = html.encode()
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n{fields}\r\n"
    ).encode() + body


def moved(to: str) -> bytes:
    return page("", "302 Found", f"Location: {to}\r\n")


@asynccontextmanager
async def pages_served() -> AsyncIterator[Pages]:
    found = Pages()
    server = await asyncio.start_server(found.answer, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()


@dataclass
class Trap:
    """A port that nobody may connect to."""

    port: int
    touched: int = 0


@asynccontextmanager
async def trap() -> AsyncIterator[Trap]:
    found = Trap(0)

    async def touched(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.touched += 1
        writer.close()

    server = await asyncio.start_server(touched, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()


def only(*targets: str) -> TargetPolicy:
    """A policy that opens nothing private but these."""
    return TargetPolicy(False, read_targets(" ".join(targets)))


@asynccontextmanager
async def browsers_for(policy: TargetPolicy, folder: Path) -> AsyncIterator[Browsers]:
    async with Browsers.opened(BrowserSettings(policy, folder)) as browsers:
        yield browsers


@asynccontextmanager
async def staged(
    browsers: Browsers, origin: str, traceparent: str | None = None
) -> AsyncIterator[Stage]:
    stage = await browsers.stage(
        width=1000, height=700, tested_origin=origin, traceparent=traceparent
    )
    try:
        yield stage
    finally:
        await stage.close()


async def shown(stage: Stage, pages: Pages, html: str, path: str = "/page") -> Reading:
    """Put a page up, open it, let it settle and read it."""
    pages.content[path] = html
    mark = await stage.mark()
    await stage.goto(pages.url + path)
    await stage.settle(mark)
    return await stage.read()


def one(reading: Reading, role: str, name: str) -> Candidate:
    found = [each for each in reading.candidates if (each.role, each.name) == (role, name)]
    assert len(found) == 1, [(each.role, each.name) for each in reading.candidates]
    return found[0]


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that another process does."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
