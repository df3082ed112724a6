"""What a session's stream tells (agents contract, section 4.6), over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from services.agents.events import operations
from tests.services.agents.conftest import Agents, new_name, rule
from tests.services.agents.events_support import follow, told
from tests.services.agents.messages_support import begin, living
from tests.support.event_stream import LIMIT
from tests.support.postgres import DatabaseUrls


@pytest.fixture(scope="module")
async def live(urls: DatabaseUrls) -> AsyncIterator[Agents]:
    async with living(urls) as agents:
        await agents.prepare()
        yield agents


async def test_begins_with_the_present_and_goes_on_with_what_comes(live: Agents) -> None:
    talk = await begin(live)
    await talk.say("before", "SYSTEM")
    async with follow(talk) as found:
        await found.until(1)
        said = await talk.say("What is left?", metadata={"a": 1})
        await found.until(3)
    assert found.retry == "5000"
    assert told(found.events) == [
        ("state", "READY"),
        ("message", "What is left?"),
        ("state", "BUSY"),
    ]
    state, message, busy = found.events
    assert message["data"] == said
    assert set(state["data"]) == {"session_id", "state", "reason", "at"}
    assert state["data"]["session_id"] == talk.id
    assert state["data"]["at"].endswith("Z")
    assert found.ids == sorted(found.ids)
    assert int(message["id"]) == await talk.number_of(said)
    assert busy["data"]["at"] >= said["created_at"]


async def test_a_reply_is_told_at_once_although_lists_hold_it_back(live: Agents) -> None:
    talk = await begin(live)
    async with follow(talk) as found:
        number = await talk.number_of(await talk.say("question"))
        await talk.reply(number, "answer")
        await found.until(5)
    assert told(found.events)[1:] == [
        ("message", "question"),
        ("state", "BUSY"),
        ("message", "answer"),
        ("state", "READY"),
    ]
    # Who comes now hears of the state that the next event follows, not of the one that is shown.
    async with follow(talk) as found:
        await found.until(1)
    assert told(found.events) == [("state", "READY")]
    assert int(found.events[0]["id"]) > number


async def test_an_error_has_its_reason(live: Agents) -> None:
    talk = await begin(live)
    async with follow(talk) as found:
        body = {"state": "ERROR", "termination_reason": "out of\nmemory"}
        assert (await talk.send("PUT", "/state", json=body)).status_code == 200
        await found.until(2)
    assert found.events[1]["data"]["reason"] == "out of\nmemory"
    async with follow(talk) as found:
        await found.until(1)
    assert (found.events[0]["data"]["state"], found.events[0]["data"]["reason"]) == (
        "ERROR",
        "out of\nmemory",
    )


async def test_the_space_dialect(live: Agents) -> None:
    space = new_name("ns")
    owner = await live.robot("developer", namespace=space)
    talk = await begin(live, space, owner, space=space)
    async with follow(talk) as found:
        await found.until(1)
        await talk.say()
        await found.until(3)
    states = [one["data"].get("state") or one["data"]["role"] for one in found.events]
    assert states == ["idle", "user", "busy"]


async def test_replays_what_came_after_the_last_id(live: Agents) -> None:
    talk = await begin(live)
    async with follow(talk, 0) as found:
        await talk.say("one", "SYSTEM")
        await talk.say("two")
        await found.until(5)
    everything = found.events
    assert told(everything) == [
        ("state", "INIT"),
        ("state", "READY"),
        ("message", "one"),
        ("message", "two"),
        ("state", "BUSY"),
    ]
    for at, event in enumerate(everything[:-1]):
        async with follow(talk, event["id"]) as found:
            await found.until(len(everything) - at - 1)
        assert found.events == everything[at + 1 :]


async def test_last_id_in_the_query_gives_way_to_the_header(live: Agents) -> None:
    """A browser opens with a query, and comes back with the header beside it."""
    talk = await begin(live)
    first = await talk.number_of(await talk.say("one", "SYSTEM"))
    async with follow(talk, query="?last_event_id=0") as found:
        await found.until(3)
    assert told(found.events)[0] == ("state", "INIT")
    await talk.say("two", "SYSTEM")
    async with follow(talk, first, query="?last_event_id=0") as found:
        await found.until(1)
    assert told(found.events) == [("message", "two")]


@pytest.mark.parametrize("last", ["", "999999999999"])
async def test_unknown_last_id_is_live_from_now(live: Agents, last: str) -> None:
    talk = await begin(live)
    await talk.say("before", "SYSTEM")
    async with follow(talk, last) as found:
        await found.until(1)
        await talk.say("after", "SYSTEM")
        await found.until(2)
    assert told(found.events) == [("state", "READY"), ("message", "after")]


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 400, "1 2", "\xb2", "0x1"])
async def test_bad_last_id_is_422(live: Agents, last: str) -> None:
    talk = await begin(live)
    headers = {"last-event-id": last.encode("latin-1")}
    answer = await talk.send("GET", "/events", headers=headers)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["loc"] == ["header", "Last-Event-ID"]
    answer = await talk.send("GET", "/events", params={"last_event_id": last})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["loc"] == ["query", "last_event_id"]


async def test_another_session_is_not_heard(live: Agents) -> None:
    namespace = new_name("ns")
    owner = await live.robot("developer", namespace=namespace)
    one, two = [await begin(live, namespace, owner) for _ in range(2)]
    async with follow(one) as found:
        await found.until(1)
        await two.say("secret", "SYSTEM")
        await one.say("own", "SYSTEM")
        await found.until(2)
    assert told(found.events) == [("state", "READY"), ("message", "own")]


async def test_tells_of_the_deletion_and_ends(live: Agents) -> None:
    talk = await begin(live)
    async with follow(talk) as found:
        await found.until(1)
        assert (await talk.send("DELETE")).status_code == 204
        async with asyncio.timeout(LIMIT):
            await found.over.wait()
    assert told(found.events) == [("state", "READY"), ("deleted", "User requested deletion")]
    assert set(found.events[1]["data"]) == {"session_id", "reason", "at"}
    assert (await talk.send("GET", "/events")).status_code == 404


async def test_ends_when_the_session_is_gone_altogether(
    live: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "RECHECK", 0.1)
    talk = await begin(live)
    async with follow(talk) as found:
        await found.until(1)
        await live.sql.execute("DELETE FROM agents.session WHERE id = $1", UUID(talk.id))
        async with asyncio.timeout(LIMIT):
            await found.over.wait()
    assert len(found.events) == 1


async def test_what_was_cleared_is_not_replayed(live: Agents) -> None:
    talk = await begin(live)
    await talk.say("gone")
    await talk.send("DELETE", "/messages")
    await talk.say("there")
    async with follow(talk, 0) as found:
        await found.until(6)
    assert told(found.events) == [
        ("state", "INIT"),
        ("state", "READY"),
        ("state", "BUSY"),
        ("state", "READY"),
        ("message", "there"),
        ("state", "BUSY"),
    ]


async def test_head_of_the_stream_ends_at_once(live: Agents) -> None:
    talk = await begin(live)
    answer = await talk.send("HEAD", "/events")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"


async def test_whoever_may_get_all_may_follow(live: Agents) -> None:
    talk = await begin(live)
    reader = await live.holding(rule("sessions", "get-all"), namespace=talk.namespace)
    async with follow(talk, principal=reader) as found:
        await found.until(1)
        await talk.say("told", "SYSTEM")
        await found.until(2)
    other = await live.holding(rule("sessions", "get list update"), namespace=talk.namespace)
    answer = await talk.send("GET", "/events", other)
    assert answer.status_code == 403


async def test_a_page_ends_early_for_long_texts(
    live: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await begin(live, state="INIT")
    for number in range(5):
        await talk.say(f"{number}" * 1000)
    for budget in (1, 2500):
        monkeypatch.setattr(operations, "PAGE_BYTES", budget)
        async with follow(talk, 0) as found:
            await found.until(6)
        assert told(found.events)[1:] == [("message", f"{n}" * 1000) for n in range(5)]


async def test_slow_reader_costs_only_its_own(live: Agents) -> None:
    """One that does not read at all: others get everything."""
    from tests.support.service import asserting

    talk = await begin(live, state="INIT")
    for number in range(40):
        await talk.say(f"{number}" + "x" * 60_000)
    url: Any = live.client.base_url
    slow, writer = await asyncio.open_connection(url.host, url.port, limit=1024)
    head = f"GET /api/v0/{talk.path}/events HTTP/1.1\r\nhost: x\r\nlast-event-id: 0\r\n"
    for name, value in asserting("agents", talk.owner).items():
        head += f"{name}: {value}\r\n"
    writer.write(head.encode() + b"\r\n")
    await slow.readuntil(b"\r\n\r\n")
    async with follow(talk, 0) as found:
        await found.until(41)
        await talk.say("after")
        await found.until(42)
    writer.transport.abort()
