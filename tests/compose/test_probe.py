from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from guildhall import probe

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LINUX: Final = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/net/tcp")


@asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[int]:
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def status_of(line: str) -> str | None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    async with listening(answer) as port:
        return await asyncio.to_thread(probe.answers, f"http://127.0.0.1:{port}/health/ready")


async def test_200_is_healthy() -> None:
    assert await status_of("200 OK") is None


@pytest.mark.parametrize("line", ["503 Service Unavailable", "404 Not Found", "204 No Content"])
async def test_any_other_answer_is_not(line: str) -> None:
    trouble = await status_of(line)
    assert trouble is not None
    assert line[:3] in trouble


async def test_an_answer_that_is_no_http_is_not() -> None:
    trouble = await status_of("nonsense")
    assert trouble is not None


async def test_silence_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TIMEOUT", 0.1)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with listening(answer) as port:
        trouble = await asyncio.to_thread(probe.answers, f"http://127.0.0.1:{port}/")
    assert trouble is not None
    assert "timed out" in trouble


def test_only_http_is_probed(tmp_path: Path) -> None:
    assert probe.answers(f"file://{tmp_path}") is not None


@LINUX
async def test_an_open_connection_is_seen_until_it_closes() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with listening(answer) as port:
        address = f"127.0.0.1:{port}"
        assert probe.holds(address) is not None
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        assert probe.holds(address) is None
        writer.close()
        await writer.wait_closed()
        assert probe.holds(address) is not None


@pytest.mark.parametrize("address", ["", "rabbitmq", "127.0.0.1:many", "nowhere.invalid:1"])
def test_an_unknown_address_is_not_healthy(address: str) -> None:
    assert probe.holds(address) is not None


def test_the_exit_status_tells_and_the_reason_is_said() -> None:
    command = (sys.executable, "-m", "guildhall.probe", "http://127.0.0.1:1/")
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert probe.main([]) == 1
