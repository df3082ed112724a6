"""100 MB through a gateway process, either way: its memory stays where it was."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway.caller import calling, request
from tests.gateway.fake_service import Asked, Behaviour, plain
from tests.gateway.gateway_process import GatewayProcess, gateway_process

PIECE = bytes(range(256)) * 1024
PIECES = 400
SIZE = len(PIECE) * PIECES
GROWTH = 16_000_000
PATH = "/v1/releases/1"
OK = b"HTTP/1.1 200 OK\r\n"


class Memory:
    """The most that a process held since it was entered, above what it held then."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    def __enter__(self) -> Memory:
        (self._folder / "clear_refs").write_text("5")
        self._before = self._peak()
        return self

    def __exit__(self, *details: object) -> None:
        self.growth = self._peak() - self._before

    def _peak(self) -> int:
        lines = (self._folder / "status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024


class Progress:
    """How much of a body has passed one end, and what it was."""

    def __init__(self) -> None:
        self.size = 0
        self.sum = 0

    def note(self, data: bytes) -> None:
        self.size += len(data)
        self.sum = zlib.crc32(data, self.sum)

    async def stuck(self) -> None:
        """Wait until nothing moves any more, because the other end takes nothing."""
        before = -1
        while self.size != before or not self.size:
            before = self.size
            await asyncio.sleep(0.3)


@pytest.fixture(scope="module")
async def process() -> AsyncIterator[GatewayProcess]:
    async with gateway_process() as running:
        # Once, so that what it keeps for good is there.
        assert (await _download(running, _sends("length", Progress()))).size == SIZE
        yield running


def _sends(framing: str, sent: Progress) -> Behaviour:
    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if asked.target != PATH:  # the gateway looks whether we are well
            writer.write(plain(200, b"{}"))
            return
        heads = {
            "length": b"content-length: %d\r\n\r\n" % SIZE,
            "chunks": b"transfer-encoding: chunked\r\n\r\n",
            "end": b"connection: close\r\n\r\n",
        }
        writer.write(OK + heads[framing])
        for _ in range(PIECES):
            data = b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if framing == "chunks" else PIECE
            writer.write(data)
            await writer.drain()
            sent.note(PIECE)
        if framing == "chunks":
            writer.write(b"0\r\n\r\n")
        elif framing == "end":
            writer.close()

    return behave


def _bearer(process: GatewayProcess) -> str:
    return f"authorization: Bearer {process.auth.token()}"


async def _download(
    process: GatewayProcess, behave: Behaviour, slow: Progress | None = None
) -> Progress:
    process.learnings.behave = behave
    received = Progress()
    async with calling(process.port, window=65_536 if slow else 0) as caller:
        caller.send(request("GET", PATH, _bearer(process), "connection: close"))
        answer = await caller.head()
        assert answer.status == 200
        if slow is not None:
            await slow.stuck()
            assert slow.size < SIZE
        if answer.header("transfer-encoding"):
            while size := int(await caller.line(), 16):
                received.note(await caller.read(size))
                assert await caller.line() == b"\r\n"
        else:
            while data := await caller.some(262_144):
                received.note(data)
    return received


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_download(process: GatewayProcess, framing: str) -> None:
    sent = Progress()
    with Memory(process.pid) as memory:
        received = await _download(process, _sends(framing, sent))
    assert (received.size, received.sum) == (sent.size, sent.sum)
    assert received.size == SIZE
    assert memory.growth < GROWTH


@pytest.mark.parametrize("framing", ["chunks", "end"])
async def test_download_by_a_slow_reader(process: GatewayProcess, framing: str) -> None:
    sent = Progress()
    with Memory(process.pid) as memory:
        received = await _download(process, _sends(framing, sent), sent)
    assert (received.size, received.sum) == (sent.size, sent.sum)
    assert received.size == SIZE
    assert memory.growth < GROWTH


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("is_slow", [False, True])
async def test_upload(process: GatewayProcess, framing: str, is_slow: bool) -> None:
    sent, received = Progress(), Progress()

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if asked.target != PATH:
            writer.write(plain(200, b"{}"))
            return
        if is_slow:
            await sent.stuck()
            assert sent.size < SIZE
        if framing == "length":
            while received.size < SIZE:
                received.note(await reader.read(262_144))
        else:
            while size := int(await reader.readline(), 16):
                received.note(await reader.readexactly(size))
                await reader.readline()
            await reader.readline()
        writer.write(plain(201, b"done"))

    process.learnings.behave = behave
    process.learnings.reads_body = False
    with Memory(process.pid) as memory:
        async with calling(process.port) as caller:
            announced = f"content-length: {SIZE}"
            if framing == "chunks":
                announced = "transfer-encoding: chunked"
            caller.send(request("POST", PATH, _bearer(process), announced))
            for _ in range(PIECES):
                framed = b"%x\r\n%b\r\n" % (len(PIECE), PIECE)
                caller.send(framed if framing == "chunks" else PIECE)
                await caller.writer.drain()
                sent.note(PIECE)
            if framing == "chunks":
                caller.send(b"0\r\n\r\n")
            answer = await caller.answer("POST")
    process.learnings.reads_body = True
    assert (answer.status, answer.body) == (201, b"done")
    assert (received.size, received.sum) == (SIZE, sent.sum)
    assert memory.growth < GROWTH
