"""What a hostile server answers to the guarded proxy, and what is left of it in the browser."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.runs.engine.browser.guard import Guard, Pass
from services.runs.engine.browser.models import NotReached
from tests.services.runs.engine.browser_support import (
    Pages,
    browsers_for,
    moved,
    only,
    page,
    pages_served,
    staged,
    trap,
    until,
)


@pytest.fixture
async def pages() -> AsyncIterator[Pages]:
    async with pages_served() as found:
        found.content["/"] = "<p>hello</p>"
        yield found


async def answered(guard: Guard, entry: Pass, url: str) -> bytes:
    """Ask for an address through the proxy; give all that comes before it closes."""
    code = base64.b64encode(f"{entry.name}:{entry.password}".encode()).decode()
    reader, writer = await asyncio.open_connection("127.0.0.1", guard.port)
    try:
        writer.write(
            f"GET {url} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic {code}\r\n\r\n".encode()
        )
        async with asyncio.timeout(10):
            return await reader.read(4096)
    finally:
        writer.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\rTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_what_could_be_read_in_two_ways_is_not_passed_on(pages: Pages, answer: bytes) -> None:
    pages.content["/split"] = answer
    async with Guard.opened(only(f"127.0.0.1:{pages.port}")) as guard:
        assert await answered(guard, guard.issue(), f"{pages.url}/split") == b""


async def test_a_servers_407_is_not_taken_for_the_proxys(pages: Pages, tmp_path: Path) -> None:
    challenge = 'Proxy-Authenticate: Basic realm="guildhall"\r\n'
    pages.content["/407"] = page("no", "407 Proxy Authentication Required", challenge)
    async with (
        browsers_for(only(f"127.0.0.1:{pages.port}"), tmp_path) as browsers,
        staged(browsers, pages.url) as stage,
    ):
        await stage.goto(f"{pages.url}/407")
        await stage.goto(f"{pages.url}/")
        assert await stage.visible_text() == "hello"


async def test_the_next_page_is_reached_after_one_that_was_not(
    pages: Pages, tmp_path: Path
) -> None:
    pages.content["/around"] = moved("/around")
    async with (
        browsers_for(only(f"127.0.0.1:{pages.port}"), tmp_path) as browsers,
        staged(browsers, pages.url) as stage,
    ):
        for _ in range(3):
            with pytest.raises(NotReached):
                await stage.goto(f"{pages.url}/around")
            await stage.goto(f"{pages.url}/")
        assert await stage.visible_text() == "hello"


async def test_a_tunnel_that_breaks_off_is_no_fault_of_ours() -> None:
    loop, complaints = asyncio.get_running_loop(), list[dict[str, Any]]()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    try:
        async with trap() as other, Guard.opened(only(f"127.0.0.1:{other.port}")) as guard:
            entry = guard.issue()
            code = base64.b64encode(f"{entry.name}:{entry.password}".encode()).decode()
            for _ in range(5):
                reader, writer = await asyncio.open_connection("127.0.0.1", guard.port)
                writer.write(
                    f"CONNECT 127.0.0.1:{other.port} HTTP/1.1\r\n"
                    f"Proxy-Authorization: Basic {code}\r\n\r\n".encode()
                )
                async with asyncio.timeout(10):
                    await reader.readuntil(b"\r\n\r\n")
                writer.transport.abort()
            await until(lambda: not guard._tasks)
    finally:
        loop.set_exception_handler(before)
    assert complaints == []
