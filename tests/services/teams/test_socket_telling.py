"""What sockets are told without asking (teams contract, section 10.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.teams.knowledge import operations as knowledge
from services.teams.socket.sockets import SocketLimits
from shared.contracts.teams import KnowledgeChanged
from tests.services.teams.conftest import Machine
from tests.services.teams.socket_support import Phoenix, Served, served
from tests.support.postgres import DatabaseUrls


@pytest.fixture(scope="module")
async def service(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[Served]:
    # Nothing heals by looking: what is told here was told by bells.
    async with served(urls, auth_url, SocketLimits(review=600)) as running:
        yield running


async def add(machine: Machine, team_id: str, content: str) -> None:
    body = {"token": machine.token, "team_id": team_id, "content": content}
    answer = await machine.post("/api/teams/knowledge", body)
    assert answer.status_code == 200, answer.text


async def told(socket: Phoenix) -> dict[str, Any]:
    message = await socket.next()
    assert message[3] == "knowledge:updated"
    payload: dict[str, Any] = message[4]
    return payload


async def test_a_push_is_told_to_every_other_socket(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other, knowledge="é\n")
    topic = f"knowledge:{team_id}"
    async with (
        await service.open(machine) as pusher,
        await service.open(machine) as second,
        await service.open(other) as third,
    ):
        await pusher.join(topic, "1")
        await second.join(topic, "7")
        await third.join(topic, None)
        answer = await pusher.push(team_id, "new")
        payload = {"content": "é\nnew\n", **answer["response"]}
        assert await second.next() == ["7", None, topic, "knowledge:updated", payload]
        assert await third.next() == [None, None, topic, "knowledge:updated", payload]
        for socket in (pusher, second, third):
            await socket.nothing_else()


async def test_a_change_over_http_is_told_to_other_machines(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    topic = f"knowledge:{team_id}"
    async with (
        await service.open(machine) as own,
        await service.open(other) as first,
        await service.open(other) as second,
    ):
        for socket in (own, first, second):
            await socket.join(topic)
        await add(machine, team_id, "over http")
        team = await machine.team()
        for socket in (first, second):
            assert await told(socket) == {
                "content": "over http",
                "knowledge_hash": team["knowledge_hash"],
                "knowledge_size": 9,
            }
        # What comes next would come after what was wrongly told.
        await add(other, team_id, "second")
        assert (await told(own))["content"] == "over http\nsecond\n"
        await service.may_push_again()
        await own.push(team_id, "third")
        for socket in (first, second):
            assert (await told(socket))["content"] == "over http\nsecond\nthird\n"


async def test_a_change_of_the_whole_team_is_told_too(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    async with await service.open(other) as socket:
        await socket.join(f"knowledge:{team_id}")
        await machine.make(knowledge="with the team")
        assert (await told(socket))["content"] == "with the team"


async def test_a_text_that_did_not_change_is_not_told(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other, knowledge="known\n")
    async with await service.open(machine) as pusher, await service.open(other) as socket:
        for one in (pusher, socket):
            await one.join(f"knowledge:{team_id}")
        assert (await pusher.push(team_id, "known\n"))["status"] == "ok"
        await add(machine, team_id, "  known  ")
        await service.may_push_again()
        await pusher.push(team_id, "unknown")
        assert (await told(socket))["content"] == "known\nunknown\n"
        await socket.nothing_else()


async def test_only_those_who_joined_are_told(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    elsewhere = await service.team(other, machine, name="Elsewhere")
    async with (
        await service.open(machine) as pusher,
        await service.open(other) as silent,
        await service.open(other) as of_another_team,
        await service.open(other) as gone,
        await service.open(other) as there,
    ):
        await pusher.join(f"knowledge:{team_id}")
        await of_another_team.join(f"knowledge:{elsewhere}")
        await there.join(f"knowledge:{team_id}")
        await gone.join(f"knowledge:{team_id}")
        await gone.ask(f"knowledge:{team_id}", "phx_leave")
        assert (await gone.next())[3] == "phx_close"
        await pusher.push(team_id, "for members")
        assert (await told(there))["content"] == "for members"
        for socket in (silent, of_another_team, gone):
            await socket.nothing_else()


async def test_however_often_bells_ring_each_news_is_told_once(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    async with await service.open(machine) as pusher, await service.open(other) as socket:
        for one in (pusher, socket):
            await one.join(f"knowledge:{team_id}")
        for number in range(20):
            await service.may_push_again()
            await pusher.push(team_id, f"line {number}")
            for _ in range(5):
                service.sockets.feeds.ring(team_id)
            service.sockets.doubt_all()
        sizes = [(await told(socket))["knowledge_size"] for _ in range(20)]
        assert sizes == sorted(set(sizes))
        await asyncio.gather(
            *(asyncio.shield(task) for task in service.sockets._tasks if "news" in task.get_name())
        )
        await socket.nothing_else()


async def test_news_between_reading_the_state_and_joining_are_told(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    read, may_go_on = asyncio.Event(), asyncio.Event()
    join = knowledge.join

    async def slow(*arguments: Any) -> Any:
        state = await join(*arguments)
        if arguments[1] == other.token:
            read.set()
            await may_go_on.wait()
        return state

    monkeypatch.setattr(knowledge, "join", slow)
    async with (
        await service.open(machine) as pusher,
        await service.open(machine) as beside,
        await service.open(other) as late,
    ):
        await pusher.join(f"knowledge:{team_id}")
        await beside.join(f"knowledge:{team_id}")
        joining = asyncio.create_task(late.join(f"knowledge:{team_id}"))
        await read.wait()
        await pusher.push(team_id, "meanwhile")
        assert (await told(beside))["content"] == "meanwhile"
        may_go_on.set()
        assert (await joining)["knowledge_size"] == 0
        assert (await told(late))["content"] == "meanwhile"
        await late.nothing_else()


async def test_whoever_joins_is_not_told_what_it_knows(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    async with await service.open(machine) as pusher, await service.open(other) as early:
        await pusher.join(f"knowledge:{team_id}")
        await early.join(f"knowledge:{team_id}")
        await pusher.push(team_id, "first")
        assert (await told(early))["content"] == "first"
        async with await service.open(other) as late:
            await late.join(f"knowledge:{team_id}")
            service.sockets.feeds.ring(team_id)
            await service.may_push_again()
            await pusher.push(team_id, "second")
            assert (await told(late))["content"] == "first\nsecond\n"
            await late.nothing_else()


async def test_lost_bells_are_made_up_for(urls: DatabaseUrls, auth_url: str) -> None:
    limits = SocketLimits(review=0.05)
    async with served(
        urls, auth_url, limits, GUILDHALL_SERVE_BACKGROUND=False
    ) as silent:  # no relay: what happens is never said
        machine, other = silent.machine(), silent.machine()
        team_id = await silent.team(machine, other)
        async with await silent.open(other) as socket:
            await socket.join(f"knowledge:{team_id}")
            await add(machine, team_id, "unheard")
            assert (await told(socket))["content"] == "unheard"
            await silent.execute("DELETE FROM teams.membership WHERE token = $1", other.token)
            assert (await socket.next())[3] == "phx_close"


async def test_a_bell_for_what_is_known_reads_nothing(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = service.machine()
    team_id = await service.team(machine)
    async with await service.open(machine) as socket:
        await socket.join(f"knowledge:{team_id}")
        feeds = service.sockets.feeds
        feed = feeds._feeds[team_id]
        bells = feed.bells
        event = KnowledgeChanged(team_id=team_id, number=feed.seen, knowledge_hash="x")
        feeds.ring(event.team_id, event.number)
        assert feed.bells == bells
        feeds.ring(event.team_id, event.number + 1)
        assert feed.bells == bells + 1
    assert team_id not in feeds.teams() or await gone(feeds, team_id)


async def gone(feeds: Any, team_id: str) -> bool:
    async with asyncio.timeout(10):
        while team_id in feeds.teams():
            await asyncio.sleep(0.005)
    return True
