"""Joining, leaving, asking on topics (teams contract, section 10.2)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tests.services.teams.socket_support import Served, served
from tests.support.postgres import DatabaseUrls

OK: dict[str, Any] = {"status": "ok", "response": {}}
EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def refused(reason: str) -> dict[str, Any]:
    return {"status": "error", "response": {"reason": reason}}


@pytest.fixture(scope="module")
async def service(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[Served]:
    async with served(urls, auth_url) as running:
        yield running


async def test_a_heartbeat_is_answered(service: Served) -> None:
    async with await service.open(service.machine()) as socket:
        assert await socket.ask("phoenix", "heartbeat", join_ref=None) == OK


async def test_what_is_sent_for_refs_comes_back(service: Served) -> None:
    machine = service.machine()
    topic = f"knowledge:{await service.team(machine)}"
    connection = await service.dial(machine.principal)
    for join_ref, ref, event in (
        ("j1", None, "phx_join"),
        ("4", "9", "nonsense"),
        (None, "é\n", "nonsense"),
        (None, None, "phx_leave"),
    ):
        await connection.send(json.dumps([join_ref, ref, topic, event, {}]))
        answer = json.loads(await connection.recv())
        assert answer[:4] == [join_ref, ref, topic, "phx_reply"]
    assert json.loads(await connection.recv()) == ["j1", "j1", topic, "phx_close", {}]
    await connection.close()


async def test_joining_knowledge_tells_its_hash_and_size(service: Served) -> None:
    machine = service.machine()
    empty = await service.team(machine)
    told = await service.team(machine, name="Other", knowledge="é\n")
    async with await service.open(machine) as socket:
        assert await socket.join(f"knowledge:{empty}") == {
            "knowledge_hash": EMPTY_HASH,
            "knowledge_size": 0,
            "knowledge_cap": 100_000,
        }
        joined = await socket.join(f"knowledge:{told}")
        assert joined["knowledge_size"] == 3
        assert joined["knowledge_hash"] == (await machine.team(told))["knowledge_hash"]


async def test_a_stranger_joins_nothing(service: Served) -> None:
    team_id = await service.team(service.machine())
    async with await service.open(service.machine()) as socket:
        for kind in ("knowledge", "tasks"):
            for one in (team_id, str(uuid4()), "x", "None", team_id.upper(), "é" * 20):
                assert await socket.ask(f"{kind}:{one}", "phx_join") == refused("not_found")


async def test_topics_that_are_none(service: Served) -> None:
    async with await service.open(service.machine()) as socket:
        assert await socket.ask("knowledge:", "phx_join") == refused("team_id_required")
        assert await socket.ask("tasks:", "phx_join") == refused("team_id_required")
        for topic in ("knowledge", "tasks", "", ":", "room:lobby", "Knowledge:x", "phoenix"):
            assert await socket.ask(topic, "phx_join") == refused("unmatched topic")
        await socket.nothing_else()


async def test_nothing_is_asked_of_a_topic_before_it_is_joined(service: Served) -> None:
    machine = service.machine()
    team_id = await service.team(machine)
    async with await service.open(machine) as socket:
        assert await socket.push(team_id, "early") == refused("unmatched topic")
        assert await socket.ask("phoenix", "unknown") == refused("unmatched topic")
        assert await socket.ask(f"knowledge:{team_id}", "phx_leave") == OK
        await socket.nothing_else()
    assert (await machine.team())["knowledge"] in (None, "")


async def test_an_unknown_event_leaves_the_topic_joined(service: Served) -> None:
    machine = service.machine()
    team_id = await service.team(machine)
    async with await service.open(machine) as socket:
        await socket.join(f"knowledge:{team_id}")
        answer = await socket.ask(f"knowledge:{team_id}", "knowledge:pull")
        assert answer == refused("unknown event")
        assert (await socket.push(team_id, "a line"))["status"] == "ok"


async def test_leaving_is_answered_and_then_closed(service: Served) -> None:
    machine = service.machine()
    team_id = await service.team(machine)
    topic = f"knowledge:{team_id}"
    async with await service.open(machine) as socket:
        await socket.join(topic, "3")
        assert await socket.ask(topic, "phx_leave", join_ref="3") == OK
        assert await socket.next() == ["3", "3", topic, "phx_close", {}]
        assert await socket.push(team_id, "late") == refused("unmatched topic")
        await socket.join(topic, "4")
        assert (await socket.push(team_id, "again"))["status"] == "ok"


async def test_leaving_an_older_join_keeps_the_newer_one(service: Served) -> None:
    machine = service.machine()
    team_id = await service.team(machine)
    topic = f"knowledge:{team_id}"
    async with await service.open(machine) as socket:
        await socket.join(topic, "1")
        await socket.join(topic, "2")
        assert await socket.next() == ["1", "1", topic, "phx_close", {}]
        assert await socket.ask(topic, "phx_leave", join_ref="1") == OK
        await socket.nothing_else()
        assert (await socket.push(team_id, "still here"))["status"] == "ok"


async def test_a_topic_joined_twice_is_told_once(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    topic = f"knowledge:{team_id}"
    async with await service.open(machine) as socket, await service.open(other) as pusher:
        await socket.join(topic, "1")
        await socket.join(topic, "2")
        assert await socket.next() == ["1", "1", topic, "phx_close", {}]
        await pusher.join(topic)
        await pusher.push(team_id, "one line")
        assert (await socket.next())[:4] == ["2", None, topic, "knowledge:updated"]
        await socket.nothing_else()


async def test_a_second_join_that_fails_ends_the_first(service: Served) -> None:
    machine = service.machine()
    team_id = await service.team(machine)
    topic = f"knowledge:{team_id}"
    async with await service.open(machine) as socket:
        await socket.join(topic, "1")
        await service.execute("DELETE FROM teams.membership WHERE token = $1", machine.token)
        assert await socket.ask(topic, "phx_join", join_ref="2") == refused("not_found")
        assert await socket.next() == ["1", "1", topic, "phx_close", {}]


async def test_messages_of_a_socket_are_done_in_order(service: Served) -> None:
    machine = service.machine()
    team_id = await service.team(machine)
    topic = f"knowledge:{team_id}"
    connection = await service.dial(machine.principal)
    events = ["phx_join", "knowledge:push", "phx_leave", "phx_join", "phx_leave"]
    for ref, event in enumerate(events):
        await connection.send(json.dumps(["1", str(ref), topic, event, {"content": "a"}]))
    refs: list[str] = []
    while len(refs) < len(events):
        answer = json.loads(await connection.recv())
        if answer[3] == "phx_reply":
            assert answer[4]["status"] == "ok", answer
            refs.append(answer[1])
    assert refs == ["0", "1", "2", "3", "4"]
    await connection.close()


async def test_more_messages_than_may_wait_are_all_done(service: Served) -> None:
    machine = service.machine()
    topic = f"knowledge:{await service.team(machine)}"
    async with await service.open(machine) as socket:
        for ref in range(500):
            await socket.say("1", f"many{ref}", topic, "phx_join", {})
        async with await service.open(machine) as beside:
            assert await beside.ask("phoenix", "heartbeat") == OK
        answers: list[str] = []
        closes = 0
        while len(answers) < 500 or closes < 499:
            message = await socket.next()
            if message[3] == "phx_reply":
                answers.append(message[1])
            else:
                closes += 1
        assert answers == [f"many{ref}" for ref in range(500)]


async def test_bad_frames_are_ignored_until_there_are_ten(service: Served) -> None:
    machine = service.machine()
    team_id = await service.team(machine)
    topic = f"knowledge:{team_id}"
    bad = ["", "x", "[]", "{}", "null", "[1,2,3,4,5]", "[" * 100_000, '[null,null,"a","b",[]]', "7"]
    assert len(bad) == 9
    async with await service.open(machine) as socket:
        await socket.join(topic)
        for text in bad:
            await socket.connection.send(text)
        await socket.nothing_else()
        await socket.connection.send("the tenth")
        assert await socket.next() == ["1", "1", topic, "phx_close", {}]
        assert await socket.ended() == 1003
