"""The gateway is told in time what to say to a socket if the process dies, and only the gateway."""

from __future__ import annotations

import json
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.teams.knowledge import operations as knowledge
from services.teams.socket.sockets import SocketLimits
from shared.last_words import HEADER, KEY_LENGTH
from tests.services.teams.conftest import Machine
from tests.services.teams.socket_support import Served, masked, raw_socket, served
from tests.support.postgres import DatabaseUrls

KEY = "k" * KEY_LENGTH
TEXT, PONG = 0x81, 0x8A


@pytest.fixture(scope="module")
async def service(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[Served]:
    async with served(urls, auth_url, SocketLimits(review=600)) as running:
        yield running


class Gateway:
    """One socket as the gateway has it.

    Attributes:
        kept: what it would say if the service died now, read as JSON.
        pongs: how many Pongs have come.
    """

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._kept: list[bytes] = []
        self.pongs = 0

    @property
    def kept(self) -> list[Any]:
        return [json.loads(text) for text in self._kept]

    def say(self, *parts: Any) -> None:
        """Send a message."""
        self._writer.write(masked(json.dumps(parts)))

    async def hear(self) -> Any:
        """Give the next message of the service; last words before it are heeded."""
        while True:
            first, length = await self._reader.readexactly(2)
            if length > 125:
                length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8))
            payload = await self._reader.readexactly(length)
            if first == TEXT:
                return json.loads(payload)
            assert first == PONG
            self.pongs += 1
            self._heed(payload.decode())

    def _heed(self, payload: str) -> None:
        assert payload.startswith(KEY)
        sign, text = payload[KEY_LENGTH], payload[KEY_LENGTH + 1 :].encode()
        if sign == "+":
            assert text not in self._kept
            self._kept.append(text)
        else:
            assert sign == "-"
            self._kept.remove(text)

    async def join(self, topic: str, join_ref: str | None = "1") -> None:
        """Join a topic."""
        self.say(join_ref, "r", topic, "phx_join", {})
        reply = await self.hear()
        assert reply[4]["status"] == "ok", reply


@asynccontextmanager
async def opened(service: Served, machine: Machine, *keys: str) -> AsyncIterator[Gateway]:
    lines = {HEADER: f"\r\n{HEADER}: ".join(keys)} if keys else {}
    reader, writer = await raw_socket(service, machine, **lines)
    try:
        yield Gateway(reader, writer)
    finally:
        writer.close()


async def test_each_topic_is_announced_before_its_answer(service: Served) -> None:
    machine = service.machine()
    team_id = await service.team(machine)
    async with opened(service, machine, KEY) as socket:
        for join_ref, topic in (("1", f"knowledge:{team_id}"), (None, f"tasks:{team_id}")):
            await socket.join(topic, join_ref)
            assert socket.kept[-1] == [join_ref, join_ref, topic, "phx_close", {}]
        assert len(socket.kept) == 2
        socket.say(None, "h", "phoenix", "heartbeat", {})
        await socket.hear()
        socket.say("1", "p", f"knowledge:{team_id}", "knowledge:push", {"content": "x"})
        await socket.hear()
        assert socket.pongs == 2, "what announces nothing costs nothing"


@pytest.mark.parametrize("ref", ["7" * 15, "7" * 16, "7" * 128, "é" * 128, "\ud800"])
async def test_long_refs_are_left_out(service: Served, ref: str) -> None:
    machine = service.machine()
    topic = f"knowledge:{await service.team(machine)}"
    async with opened(service, machine, KEY) as socket:
        await socket.join(topic, ref)
        said = ref if len(ref) <= 15 else None
        assert socket.kept == [[said, said, topic, "phx_close", {}]]
        socket.say(ref, "l", topic, "phx_leave", {})
        assert (await socket.hear())[3] == "phx_reply"
        assert (await socket.hear())[:2] == [ref, ref]
        assert socket.kept == []


async def test_topics_that_are_not_joined_are_not_announced(service: Served) -> None:
    stranger = service.machine()
    team_id = await service.team(service.machine())
    async with opened(service, stranger, KEY) as socket:
        for topic in (f"knowledge:{team_id}", "knowledge:", "nonsense"):
            socket.say("1", "r", topic, "phx_join", {})
            assert (await socket.hear())[4]["status"] == "error"
        assert socket.pongs == 0


async def test_a_second_join_takes_the_place_of_the_first(service: Served) -> None:
    machine = service.machine()
    topic = f"knowledge:{await service.team(machine)}"
    async with opened(service, machine, KEY) as socket:
        await socket.join(topic, "1")
        for join_ref in ("2", "2"):
            await socket.join(topic, join_ref)
            assert (await socket.hear())[3] == "phx_close"
            assert socket.kept == [["2", "2", topic, "phx_close", {}]]


async def test_a_topic_that_fails_is_taken_back(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = service.machine()
    topic = f"knowledge:{await service.team(machine)}"

    async def fail(*arguments: object) -> None:
        raise ValueError

    async with opened(service, machine, KEY) as socket:
        await socket.join(topic)
        monkeypatch.setattr(knowledge, "push", fail)
        socket.say("1", "p", topic, "knowledge:push", {"content": "x"})
        assert (await socket.hear())[3] == "phx_error"
        assert socket.kept == []


async def test_a_topic_that_is_closed_is_taken_back(service: Served) -> None:
    machine = service.machine()
    kept, lost = await service.team(machine), await service.team(machine, name="Lost")
    async with opened(service, machine, KEY) as socket:
        await socket.join(f"knowledge:{kept}")
        await socket.join(f"knowledge:{lost}")
        answer = await machine.send(
            "DELETE", f"/api/token/{machine.token}/erase", params={"team_id": lost}
        )
        assert answer.status_code == 200, answer.text
        assert (await socket.hear())[2:4] == [f"knowledge:{lost}", "phx_close"]
        assert [word[2] for word in socket.kept] == [f"knowledge:{kept}"]


@pytest.mark.parametrize("keys", [(), ("short",), (KEY, KEY), ("é" * KEY_LENGTH,)])
async def test_nobody_else_hears_of_it(service: Served, keys: tuple[str, ...]) -> None:
    machine = service.machine()
    topic = f"knowledge:{await service.team(machine)}"
    async with opened(service, machine, *keys) as socket:
        await socket.join(topic)
        socket.say("1", "l", topic, "phx_leave", {})
        assert [(await socket.hear())[3] for _ in range(2)] == ["phx_reply", "phx_close"]
        assert socket.pongs == 0
