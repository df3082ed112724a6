"""Many sockets of one team at once (teams contract, sections 10.4 and 14)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from services.teams.socket.sockets import SocketLimits
from tests.services.teams.conftest import Machine
from tests.services.teams.socket_support import (
    Phoenix,
    Served,
    masked,
    raw_socket,
    read_message,
    served,
)
from tests.support.postgres import DatabaseUrls

PUSHERS = 50
MANY = 1_000


@pytest.fixture(scope="module")
async def service(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[Served]:
    async with served(urls, auth_url, SocketLimits(each=MANY)) as running:
        yield running


async def test_pushes_of_many_machines_are_told_in_order_and_lose_nothing(
    service: Served,
) -> None:
    machines = [service.machine() for _ in range(PUSHERS)]
    team_id = await service.team(*machines)
    sockets = [await service.joined(machine, team_id) for machine in machines]
    watching = await service.joined(machines[0], team_id)
    answers = await asyncio.gather(
        *(socket.push(team_id, f"line of {index}") for index, socket in enumerate(sockets))
    )
    assert all(answer["status"] == "ok" for answer in answers)
    states = [await states_of(watching, PUSHERS)]
    states += [await states_of(socket, PUSHERS - 1) for socket in sockets]
    for told in states:
        # Each state holds what the one before it held, and a line more.
        for earlier, later in pairwise(told):
            assert later["content"].startswith(earlier["content"].rstrip())
            assert later["content"] != earlier["content"]
    whole = states[0]
    team = await machines[0].team()
    assert whole[-1]["knowledge_hash"] == team["knowledge_hash"]
    assert set(team["knowledge"].splitlines()) == {f"line of {i}" for i in range(PUSHERS)}
    for answer, told in zip(answers, states[1:], strict=True):
        own = answer["response"]["knowledge_hash"]
        hashes = [state["knowledge_hash"] for state in whole]
        assert [state["knowledge_hash"] for state in told] == [one for one in hashes if one != own]
    for socket in (*sockets, watching):
        await socket.nothing_else()
        await socket.connection.close()


async def states_of(socket: Phoenix, count: int) -> list[dict[str, Any]]:
    messages = [await socket.next() for _ in range(count)]
    assert {message[3] for message in messages} == {"knowledge:updated"}
    return [message[4] for message in messages]


@pytest.mark.slow
async def test_a_thousand_sockets_hold_the_same_hash_after_a_push(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    lines = [await joined(service, other, team_id, number) for number in range(MANY)]
    async with await service.joined(machine, team_id) as pusher:
        answer = await pusher.push(team_id, "x" * 20_000)
        payload = {"content": "x" * 20_000, **answer["response"]}
        for number, (reader, _) in enumerate(lines):
            assert await read_message(reader) == [
                str(number % 3),
                None,
                f"knowledge:{team_id}",
                "knowledge:updated",
                payload,
            ]
    for _, writer in lines:
        writer.transport.abort()
    for _, writer in lines:
        await writer.wait_closed()


async def joined(
    service: Served, machine: Machine, team_id: str, number: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await raw_socket(service, machine)
    topic = f"knowledge:{team_id}"
    writer.write(masked(json.dumps([str(number % 3), "1", topic, "phx_join", {}])))
    assert (await read_message(reader))[4]["status"] == "ok"
    return reader, writer
