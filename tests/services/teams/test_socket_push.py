"""Pushing knowledge through a socket (teams contract, section 10.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.teams.knowledge import operations as knowledge
from shared.errors import Unavailable
from tests.services.teams.socket_support import Served, served
from tests.support.postgres import DatabaseUrls


def refused(reason: str) -> dict[str, Any]:
    return {"status": "error", "response": {"reason": reason}}


@pytest.fixture(scope="module")
async def service(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[Served]:
    async with served(urls, auth_url) as running:
        yield running


async def test_a_push_merges_and_tells_hash_and_size(service: Served) -> None:
    machine = service.machine()
    team_id = await service.team(machine, knowledge="first é\n")
    async with await service.open(machine) as socket:
        await socket.join(f"knowledge:{team_id}")
        answer = await socket.push(team_id, "first é\nsecond\n")
        team = await machine.team()
        assert team["knowledge"] == "first é\nsecond\n"
        assert answer == {
            "status": "ok",
            "response": {
                "knowledge_hash": team["knowledge_hash"],
                "knowledge_size": len("first é\nsecond\n".encode()),
            },
        }
        joined = await socket.join(f"knowledge:{team_id}", "2")
        assert joined["knowledge_hash"] == team["knowledge_hash"]


MISSING: list[Any] = [
    {},
    {"content": None},
    {"content": 5},
    {"content": 1.5},
    {"content": True},
    {"content": ["a"]},
    {"content": {"a": "b"}},
    {"Content": "a"},
]


@pytest.mark.parametrize("payload", MISSING, ids=str)
async def test_content_must_be_a_text(service: Served, payload: dict[str, Any]) -> None:
    machine = service.machine()
    topic = f"knowledge:{await service.team(machine)}"
    async with await service.open(machine) as socket:
        await socket.join(topic)
        answer = await socket.ask(topic, "knowledge:push", payload)
        assert answer == refused("missing content")


@pytest.mark.parametrize("content", ["\0", "a\0b", "\ud800", "a\udfffb"])
async def test_content_that_no_text_column_takes_is_refused(service: Served, content: str) -> None:
    machine = service.machine()
    team_id = await service.team(machine, knowledge="kept")
    async with await service.open(machine) as socket:
        await socket.join(f"knowledge:{team_id}")
        assert await socket.push(team_id, content) == refused("invalid content")
        # Nothing of it counted as a push.
        assert (await socket.push(team_id, "next"))["status"] == "ok"
    assert (await machine.team())["knowledge"] == "kept\nnext\n"


async def test_the_limit_is_bytes(service: Served) -> None:
    machine = service.machine()
    team_id = await service.team(machine)
    async with await service.open(machine) as socket:
        await socket.join(f"knowledge:{team_id}")
        for content in ("x" * 100_001, "é" * 50_001):
            assert await socket.push(team_id, content) == refused("content_too_large")
        answer = await socket.push(team_id, "é" * 50_000)
        assert answer["response"]["knowledge_size"] == 100_000


async def test_what_merges_to_too_much_is_pruned(service: Served) -> None:
    machine = service.machine()
    old = "intro\n" + "".join(f"## {number}\n{'o' * 9_000}\n" for number in range(10))
    team_id = await service.team(machine, knowledge=old)
    async with await service.open(machine) as socket:
        await socket.join(f"knowledge:{team_id}")
        answer = await socket.push(team_id, "## new\n" + "n" * 50_000 + "\n")
        assert answer["status"] == "ok"
        assert answer["response"]["knowledge_size"] <= 80_000
        team = await machine.team()
        assert "## new" in team["knowledge"]
        assert "## 0\n" not in team["knowledge"]
        assert team["knowledge_hash"] == answer["response"]["knowledge_hash"]


async def test_a_machine_pushes_once_a_second_over_all_its_sockets(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    async with (
        await service.open(machine) as first,
        await service.open(machine) as second,
        await service.open(other) as beside,
    ):
        for socket in (first, second, beside):
            await socket.join(f"knowledge:{team_id}")
        assert (await first.push(team_id, "one"))["status"] == "ok"
        await service.stop_the_clock()
        assert await first.push(team_id, "two") == refused("rate_limited")
        assert await second.push(team_id, "three") == refused("rate_limited")
        assert (await beside.push(team_id, "four"))["status"] == "ok"
        await service.execute(
            "UPDATE teams.machine SET pushed_at = pushed_at - interval '1 hour 1 second'"
            " WHERE token = $1",
            machine.token,
        )
        assert (await second.push(team_id, "five"))["status"] == "ok"
    assert (await machine.team())["knowledge"].split() == ["one", "four", "five"]


async def test_membership_is_checked_on_every_push(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    async with await service.open(other) as socket:
        await socket.join(f"knowledge:{team_id}")
        await service.execute("DELETE FROM teams.membership WHERE token = $1", other.token)
        assert await socket.push(team_id, "not mine") == refused("not_found")
        assert await socket.next() == ["1", "1", f"knowledge:{team_id}", "phx_close", {}]
    assert (await machine.team())["knowledge"] in (None, "")


async def test_while_the_database_is_away_the_socket_stays(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = service.machine()
    team_id = await service.team(machine)

    async def away(*_: object) -> None:
        raise Unavailable

    async with await service.open(machine) as socket:
        await socket.join(f"knowledge:{team_id}")
        with monkeypatch.context() as patch:
            patch.setattr(knowledge, "push", away)
            assert await socket.push(team_id, "lost") == refused("unavailable")
            patch.setattr(knowledge, "join", away)
            answer = await socket.ask(f"knowledge:{team_id}", "phx_join", join_ref="1")
            assert answer == refused("unavailable")
        assert (await socket.next())[3] == "phx_close"
        await socket.join(f"knowledge:{team_id}")
        assert (await socket.push(team_id, "kept"))["status"] == "ok"


async def test_a_crash_ends_its_topic_only(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = service.machine()
    team_id = await service.team(machine)
    other_id = await service.team(machine, name="Other")

    async def crash(*_: object) -> None:
        raise ZeroDivisionError

    async with await service.open(machine) as socket:
        await socket.join(f"knowledge:{team_id}", "a")
        await socket.join(f"knowledge:{other_id}", "b")
        with monkeypatch.context() as patch:
            patch.setattr(knowledge, "push", crash)
            await socket.say("a", "9", f"knowledge:{team_id}", "knowledge:push", {"content": "x"})
            topic = f"knowledge:{team_id}"
            assert await socket.next() == ["a", "a", topic, "phx_error", {}]
            patch.setattr(knowledge, "join", crash)
            assert await socket.ask(topic, "phx_join") == refused("join crashed")
        assert await socket.push(team_id, "x") == refused("unmatched topic")
        assert (await socket.push(other_id, "x"))["status"] == "ok"
