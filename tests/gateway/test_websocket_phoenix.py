"""The gateway before the real teams service: who is to go hears ``phx_close``, and comes back.

Clients reconnect after nothing else (teams contract, section 10.5).
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from shared.secret import encode_base64url
from tests.gateway.fake_service import FakeService, answering, plain, running
from tests.gateway.gateway_process import GatewayProcess, gateway_process
from tests.gateway.machines import Machine
from tests.gateway.sockets import target
from tests.support.postgres import DatabaseUrls
from tests.support.service import ASSERTION_KEY
from tests.support.service_process import ServiceProcess, running_service

LIMIT = 20.0
TOPICS = ("knowledge", "tasks")


@asynccontextmanager
async def teams_service(urls: DatabaseUrls, folder: Path) -> AsyncIterator[ServiceProcess]:
    """Run teams, and an auth that knows no machine's owner."""
    auth = FakeService()
    auth.behave = answering(plain(200, b'{"linked": false}', "content-type: application/json"))
    async with (
        running(auth),
        running_service("teams", urls, folder, GUILDHALL_AUTH_URL=auth.url) as teams,
    ):
        yield teams


@asynccontextmanager
async def before(teams: ServiceProcess, workers: int) -> AsyncIterator[GatewayProcess]:
    """Run a gateway before it."""
    values = {
        "GUILDHALL_TEAMS_URL": teams.url,
        "GUILDHALL_TEAMS_ASSERTION_KEY": encode_base64url(ASSERTION_KEY),
    }
    async with gateway_process(workers, values=values) as gateway:
        yield gateway


async def made(gateway: GatewayProcess, machine: Machine) -> str:
    """Make a team as a client does; give its id."""
    team = {"name": "Payments", "members": [{"name": "alice", "role": "dev"}]}
    body = machine.body(team=team)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}") as client:
        headers = machine.headers("POST", "/api/teams", body)
        answer = await client.post("/api/teams", content=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["team"]["id"])


async def joined(gateway: GatewayProcess, machine: Machine, team_id: str) -> ClientConnection:
    """Open a socket and join both topics of a team."""
    url = f"ws://127.0.0.1:{gateway.port}{target(machine)}"
    socket = await connect(url, ping_interval=None)
    for number, topic in enumerate(TOPICS):
        join = [str(number), f"r{number}", f"{topic}:{team_id}", "phx_join", {}]
        await socket.send(json.dumps(join))
        reply = json.loads(await asyncio.wait_for(socket.recv(), LIMIT))
        assert reply[:4] == [str(number), f"r{number}", f"{topic}:{team_id}", "phx_reply"]
        assert reply[4]["status"] == "ok"
    return socket


async def last_words(socket: ClientConnection) -> list[Any]:
    """Give all that is said until the end."""
    words = []
    async with asyncio.timeout(LIMIT):
        try:
            while True:
                words.append(json.loads(await socket.recv()))
        except ConnectionClosed:
            return words


def goodbyes(team_id: str) -> list[Any]:
    """What is to be heard by whoever has joined both topics."""
    return [
        [str(number), str(number), f"{topic}:{team_id}", "phx_close", {}]
        for number, topic in enumerate(TOPICS)
    ]


@pytest.mark.parametrize("workers", [1, 2])
async def test_gateway_that_stops_alone_makes_clients_come_back(
    database_urls: DatabaseUrls, tmp_path: Path, workers: int
) -> None:
    machine = Machine()
    async with teams_service(database_urls, tmp_path) as teams:
        async with before(teams, workers) as gateway:
            team_id = await made(gateway, machine)
            sockets = [await joined(gateway, machine, team_id) for _ in range(6)]
            gateway.tell(signal.SIGTERM)
            for words in await asyncio.gather(*map(last_words, sockets)):
                assert sorted(words) == goodbyes(team_id)
            assert {socket.close_code for socket in sockets} == {1001}
            assert await gateway.ended() in (0, -signal.SIGTERM)
        async with before(teams, 1) as gateway:
            again = await joined(gateway, machine, team_id)
            await again.close()


async def test_service_that_stops_makes_clients_come_back(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    machine = Machine()
    async with (
        teams_service(database_urls, tmp_path) as teams,
        before(teams, 1) as gateway,
    ):
        team_id = await made(gateway, machine)
        socket = await joined(gateway, machine, team_id)
        _, words = await asyncio.gather(teams.stop(), last_words(socket))
        assert [word[3] for word in words] == ["phx_close"] * len(TOPICS)
        assert socket.close_code == 1001


@pytest.mark.parametrize("workers", [1, 2])
async def test_service_that_is_killed_makes_clients_come_back(
    database_urls: DatabaseUrls, tmp_path: Path, workers: int
) -> None:
    machine = Machine()
    async with (
        teams_service(database_urls, tmp_path) as teams,
        before(teams, workers) as gateway,
    ):
        team_id = await made(gateway, machine)
        sockets = [await joined(gateway, machine, team_id) for _ in range(6)]
        await teams.kill()
        for words in await asyncio.gather(*map(last_words, sockets)):
            assert sorted(words) == goodbyes(team_id)
        assert {socket.close_code for socket in sockets} == {1012}
        await teams.start()
        again = await joined(gateway, machine, team_id)
        await again.close()


async def test_service_that_is_killed_says_nothing_of_topics_that_are_left(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    machine = Machine()
    async with (
        teams_service(database_urls, tmp_path) as teams,
        before(teams, 1) as gateway,
    ):
        team_id = await made(gateway, machine)
        leaving, again = [await joined(gateway, machine, team_id) for _ in range(2)]
        await leaving.send(json.dumps(["1", "r9", f"tasks:{team_id}", "phx_leave", {}]))
        assert [json.loads(await leaving.recv())[3] for _ in range(2)] == ["phx_reply", "phx_close"]
        long_ref = "7" * 100
        await again.send(json.dumps([long_ref, "r9", f"tasks:{team_id}", "phx_join", {}]))
        assert [json.loads(await again.recv())[3] for _ in range(2)] == ["phx_reply", "phx_close"]
        await teams.kill()
        assert await last_words(leaving) == goodbyes(team_id)[:1]
        unnumbered: list[Any] = [None, None, f"tasks:{team_id}", "phx_close", {}]
        assert await last_words(again) == [*goodbyes(team_id)[:1], unnumbered]
