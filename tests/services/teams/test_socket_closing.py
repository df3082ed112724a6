"""How sockets and their topics end (teams contract, section 10.5)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.teams.knowledge import operations as knowledge
from services.teams.socket.sockets import SocketLimits
from shared.bus import Relay, outbox
from shared.bus import connect as connect_bus
from shared.contracts.auth import MachineRevoked
from shared.db import Database
from tests.services.teams.conftest import Machine
from tests.services.teams.socket_support import LIMIT, Phoenix, Served, raw_socket, served, until
from tests.support.postgres import DatabaseUrls


@pytest.fixture(scope="module")
async def service(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[Served]:
    async with served(urls, auth_url, SocketLimits(review=600)) as running:
        yield running


async def erase(machine: Machine, team_id: str | None = None) -> None:
    query = {} if team_id is None else {"team_id": team_id}
    answer = await machine.send("DELETE", f"/api/token/{machine.token}/erase", params=query)
    assert answer.status_code == 200, answer.text


async def closes_of(socket: Phoenix, count: int) -> set[tuple[str, str]]:
    """Take so many goodbyes; give join_ref and topic of each."""
    closes = set()
    for _ in range(count):
        join_ref, ref, topic, event, payload = await socket.next()
        assert (event, payload, ref) == ("phx_close", {}, join_ref)
        closes.add((join_ref, topic))
    return closes


async def test_losing_a_membership_closes_its_topic_and_not_the_socket(service: Served) -> None:
    owner, machine = service.machine(), service.machine()
    kept = await service.team(owner, machine)
    lost = await service.team(owner, machine, name="Lost")
    async with (
        await service.joined(machine, kept, lost) as socket,
        await service.joined(machine, lost) as second,
        await service.joined(owner, kept, lost) as beside,
    ):
        await erase(machine, lost)
        assert await closes_of(socket, 1) == {("1", f"knowledge:{lost}")}
        assert await closes_of(second, 1) == {("0", f"knowledge:{lost}")}
        assert (await socket.push(kept, "still a member"))["status"] == "ok"
        assert (await beside.next())[2:4] == [f"knowledge:{kept}", "knowledge:updated"]
        answer = await socket.ask(f"knowledge:{lost}", "phx_join")
        assert answer["response"] == {"reason": "not_found"}
        for one in (socket, second, beside):
            await one.nothing_else()


async def test_a_membership_lost_while_it_joins_is_noticed(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = service.machine()
    team_id = await service.team(service.machine(), machine)
    read, may_go_on = asyncio.Event(), asyncio.Event()
    join = knowledge.join

    async def slow(*arguments: Any) -> Any:
        state = await join(*arguments)
        read.set()
        await may_go_on.wait()
        return state

    monkeypatch.setattr(knowledge, "join", slow)
    async with await service.open(machine) as socket:
        joining = asyncio.create_task(socket.join(f"knowledge:{team_id}"))
        await read.wait()
        feed = service.sockets.feeds._feeds[team_id]
        await erase(machine, team_id)
        await until(lambda: feed.doubts > 0)
        may_go_on.set()
        await joining
        assert await closes_of(socket, 1) == {("1", f"knowledge:{team_id}")}


async def test_a_deleted_team_closes_its_topics(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    async with (
        await service.joined(machine, team_id) as one,
        await service.joined(other, team_id) as two,
    ):
        await service.execute("UPDATE teams.team SET deleted_at = now() WHERE id = $1", team_id)
        service.sockets.doubt(team_id)
        for socket in (one, two):
            assert await closes_of(socket, 1) == {("0", f"knowledge:{team_id}")}
            answer = await socket.ask(f"knowledge:{team_id}", "phx_join")
            assert answer["response"] == {"reason": "not_found"}


async def test_a_revoked_machine_loses_its_sockets(service: Served, urls: DatabaseUrls) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    async with (
        await service.joined(machine, team_id) as one,
        await service.joined(machine) as two,
        await service.joined(other, team_id) as beside,
    ):
        transport = await connect_bus(urls.url("bus"))
        database = await Database.connect(urls.url("auth"), size=1)
        try:
            event = MachineRevoked(token=machine.token, account_id="usr_x", version=1)
            async with database.transaction() as connection:
                await outbox.add(connection, event)
            async with Relay(database, "auth", transport):
                assert await closes_of(one, 1) == {("0", f"knowledge:{team_id}")}
                assert await one.ended() == 1001
                assert await two.ended() == 1001
        finally:
            await database.close()
            await transport.close()
        assert (await beside.push(team_id, "still here"))["status"] == "ok"


async def test_whoever_closes_is_told_to_come_back_first(service: Served) -> None:
    machine = service.machine()
    team_id = await service.team(machine)
    other = await service.team(machine, name="Other")
    for code in (1000, 1001, 1012):
        socket = await service.joined(machine, team_id, other)
        await socket.connection.close(code)
        assert await closes_of(socket, 2) == {
            ("0", f"knowledge:{team_id}"),
            ("1", f"knowledge:{other}"),
        }
        assert await socket.ended() == code
    await until(lambda: len(service.sockets) == 0)
    assert not service.sockets.feeds.teams()


async def test_a_push_before_the_close_is_done(service: Served) -> None:
    machine = service.machine()
    team_id = await service.team(machine)
    topic = f"knowledge:{team_id}"
    connection = await service.dial(machine.principal)
    for event in ("phx_join", "knowledge:push"):
        await connection.send(json.dumps(["1", event, topic, event, {"content": "last words"}]))
    await connection.recv()
    await connection.close()
    async with asyncio.timeout(LIMIT):
        while (await machine.team())["knowledge"] != "last words":
            await asyncio.sleep(0.01)


async def test_a_client_that_vanishes_is_forgotten(service: Served) -> None:
    machine = service.machine()
    team_id = await service.team(machine)
    socket = await service.joined(machine, team_id)
    socket.connection.transport.abort()
    await socket.ended()
    await until(lambda: len(service.sockets) == 0)
    assert not service.sockets.feeds.teams()


async def test_silence_ends_a_socket(urls: DatabaseUrls, auth_url: str) -> None:
    limits = SocketLimits(idle=1.0, tick=0.02, review=600)
    async with served(urls, auth_url, limits) as short:
        machine = short.machine()
        team_id = await short.team(machine)
        silent = await short.joined(machine, team_id)
        async with await short.open(machine) as talking:
            while silent.code is None:
                await talking.ask("phoenix", "heartbeat")
            assert await closes_of(silent, 1) == {("0", f"knowledge:{team_id}")}
            assert silent.code == 1001


async def test_a_socket_without_topics_is_left_to_nobody(urls: DatabaseUrls, auth_url: str) -> None:
    """Clients come back by another socket and leave the old one open, heartbeats and all."""
    limits = SocketLimits(empty=0.3, tick=0.02, review=0.1)
    async with served(urls, auth_url, limits) as service:
        machine, owner = service.machine(), service.machine()
        lost = await service.team(owner, machine)
        async with (
            await service.joined(machine, lost) as socket,
            await service.joined(owner, lost) as beside,
        ):
            await erase(machine, lost)
            assert await closes_of(socket, 1) == {("0", f"knowledge:{lost}")}
            assert await socket.ended() == 1001
            assert (await beside.push(lost, "still here"))["status"] == "ok"


async def test_a_ping_is_a_word(urls: DatabaseUrls, auth_url: str) -> None:
    limits = SocketLimits(idle=1.0, tick=0.02, review=600)
    async with served(urls, auth_url, limits) as short:
        silent = await short.open(short.machine())
        pinging = await short.open(short.machine())
        while silent.code is None:
            await (await pinging.connection.ping())
        assert pinging.code is None
        await pinging.connection.close()
        await silent.ended()


async def test_one_that_does_not_answer_the_close_is_broken_off(
    urls: DatabaseUrls, auth_url: str
) -> None:
    async with served(urls, auth_url, SocketLimits(linger=0.1, tick=0.02)) as hasty:
        reader, writer = await raw_socket(hasty, hasty.machine())
        hasty.sockets.revoke(next(iter(hasty.sockets._owners)))
        # The Close comes, nobody answers it, and then the connection ends.
        assert await asyncio.wait_for(reader.read(), LIMIT) == b"\x88\x02\x03\xe9"
        await until(lambda: len(hasty.sockets) == 0)
        writer.close()


async def test_stopping_says_goodbye_to_everybody(urls: DatabaseUrls, auth_url: str) -> None:
    async with served(urls, auth_url) as stopping:
        machine = stopping.machine()
        team_id = await stopping.team(machine)
        sockets = [await stopping.joined(machine, team_id) for _ in range(3)]
        bare = await stopping.open(machine)
    for socket in sockets:
        assert await closes_of(socket, 1) == {("0", f"knowledge:{team_id}")}
        assert await socket.ended() == 1001
    assert await bare.ended() == 1001


async def test_stopping_does_not_wait_for_one_that_never_answers(
    urls: DatabaseUrls, auth_url: str
) -> None:
    limits = SocketLimits(farewell=0.3, linger=600, tick=0.02)
    async with served(urls, auth_url, limits) as stopping:
        reader, writer = await raw_socket(stopping, stopping.machine())
    assert await reader.read() == b"\x88\x02\x03\xe9"
    writer.close()
