"""Several processes of the service, joined by bus and database alone; and the end of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from shared.secret import encode_base64url
from tests.services.teams.conftest import Machine
from tests.services.teams.socket_support import LIMIT, Phoenix, Place
from tests.support.postgres import DatabaseUrls
from tests.support.service import ASSERTION_KEY
from tests.support.service_process import ServiceProcess, running_service

pytestmark = pytest.mark.slow


@asynccontextmanager
async def process(
    urls: DatabaseUrls, auth_url: str, folder: Path
) -> AsyncIterator[tuple[ServiceProcess, Place]]:
    async with (
        running_service(
            "teams",
            urls,
            folder,
            GUILDHALL_AUTH_URL=auth_url,
            GUILDHALL_AUTH_SIBLING_KEY=encode_base64url(ASSERTION_KEY),
        ) as service,
        httpx.AsyncClient(base_url=service.url, timeout=20) as client,
    ):
        yield service, Place(service.url, client, urls)


async def add(machine: Machine, team_id: str, content: str) -> None:
    body = {"token": machine.token, "team_id": team_id, "content": content}
    answer = await machine.post("/api/teams/knowledge", body)
    assert answer.status_code == 200, answer.text


async def test_what_happens_at_one_is_told_at_the_other(
    urls: DatabaseUrls, auth_url: str, tmp_path: Path
) -> None:
    async with (
        process(urls, auth_url, tmp_path) as (_, here),
        process(urls, auth_url, tmp_path) as (_, there),
    ):
        machine, other = here.machine(), there.machine()
        team_id = await here.team(machine, other)
        topic = f"knowledge:{team_id}"
        async with (
            await here.joined(machine, team_id) as pusher,
            await there.joined(machine, team_id) as of_the_same,
            await there.joined(other, team_id) as of_another,
        ):
            answer = await pusher.push(team_id, "by socket")
            payload = {"content": "by socket", **answer["response"]}
            for socket in (of_the_same, of_another):
                assert await socket.next() == ["0", None, topic, "knowledge:updated", payload]
            await add(machine, team_id, "over http")
            assert (await of_another.next())[4]["content"] == "by socket\nover http\n"
            await add(other, team_id, "back")
            for socket in (pusher, of_the_same):
                message = await socket.next()
                assert message[4]["content"] == "by socket\nover http\nback\n"
            # One push a second, whichever process a machine speaks to.
            await here.stop_the_clock()
            assert (await pusher.push(team_id, "x"))["response"] == {"reason": "rate_limited"}
            answer = await of_the_same.push(team_id, "y")
            assert answer["response"] == {"reason": "rate_limited"}
            await here.may_push_again()
            await of_the_same.push(team_id, "the other way")
            assert (await pusher.next())[4]["content"].endswith("the other way\n")
            assert (await of_another.next())[4]["content"].endswith("the other way\n")
            for socket in (pusher, of_the_same, of_another):
                await socket.nothing_else()
            erased = await machine.send("DELETE", f"/api/token/{machine.token}/erase")
            assert erased.status_code == 200, erased.text
            for socket in (pusher, of_the_same):
                assert await socket.next() == ["0", "0", topic, "phx_close", {}]
            await of_another.nothing_else()


async def test_a_process_that_stops_tells_its_clients_to_come_back(
    urls: DatabaseUrls, auth_url: str, tmp_path: Path
) -> None:
    async with process(urls, auth_url, tmp_path) as (running, here):
        machine = here.machine()
        team_id = await here.team(machine)
        sockets = [await here.joined(machine, team_id) for _ in range(5)]
        async with asyncio.timeout(10):
            await running.stop()
        for socket in sockets:
            assert await socket.next() == ["0", "0", f"knowledge:{team_id}", "phx_close", {}]
            assert await socket.ended() == 1001


async def test_a_process_that_is_killed_loses_nothing_that_it_acknowledged(
    urls: DatabaseUrls, auth_url: str, tmp_path: Path
) -> None:
    async with (
        process(urls, auth_url, tmp_path) as (killed, here),
        process(urls, auth_url, tmp_path) as (_, there),
    ):
        machines = [here.machine() for _ in range(10)]
        team_id = await here.team(*machines)
        sockets = [await here.joined(machine, team_id) for machine in machines]
        watching = await there.joined(machines[0], team_id)
        acknowledged: list[str] = []
        pushing = [
            asyncio.create_task(push_on(socket, team_id, index, acknowledged))
            for index, socket in enumerate(sockets)
        ]
        async with asyncio.timeout(LIMIT):
            while len(acknowledged) < 25:
                await here.may_push_again()
        await killed.kill()
        await asyncio.gather(*pushing)
        survivor = Machine(there.client)
        await there.add_members(team_id, [survivor.token])
        team = await survivor.team()
        assert set(acknowledged) <= set(team["knowledge"].splitlines())
        # Those who come back hold what the team holds, and so does one who was elsewhere.
        for machine in machines:
            async with await there.open(machine) as again:
                joined = await again.join(f"knowledge:{team_id}")
                assert joined["knowledge_hash"] == team["knowledge_hash"]
        message = await watching.next()
        while message[4]["knowledge_hash"] != team["knowledge_hash"]:
            message = await watching.next()
        await watching.nothing_else()
        await watching.connection.close()
        for socket in sockets:
            await socket.ended()


async def push_on(socket: Phoenix, team_id: str, index: int, acknowledged: list[str]) -> None:
    """Push lines until the connection breaks; note those that were acknowledged."""
    number = 0
    with suppress(ConnectionClosed, ConnectionResetError):
        while socket.code is None:
            line = f"{index}: line {number}"
            answer = await socket.push(team_id, line)
            if answer["status"] == "ok":
                acknowledged.append(line)
                number += 1
