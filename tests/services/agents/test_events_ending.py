"""What ends a session's stream, and how many there may be (agents contract, section 4.6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import pytest

from services.agents.events import operations
from services.agents.events.operations import Streams
from shared import followers
from shared.bus.events import Event
from shared.contracts.auth import (
    AccountDisabled,
    ApiKeyRevoked,
    MembershipChanged,
    ServiceAccountChanged,
    SessionRevoked,
)
from shared.principal import Principal
from shared.streams import Draining
from tests.services.agents.conftest import Agents
from tests.services.agents.events_support import follow, publish, told
from tests.services.agents.messages_support import Talk, begin, living
from tests.support.event_stream import LIMIT, Reading
from tests.support.postgres import DatabaseUrls


@pytest.fixture(scope="module")
async def live(urls: DatabaseUrls) -> AsyncIterator[Agents]:
    async with living(urls) as agents:
        await agents.prepare()
        yield agents


async def is_over(found: Reading) -> None:
    async with asyncio.timeout(LIMIT):
        await found.over.wait()


async def of_person(live: Agents) -> Talk:
    org, slug = await live.organization()
    return await begin(live, slug, live.person(org, "admin"))


async def test_silence_is_broken_by_comments_and_polls(
    live: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the bus does not tell is found when the next comment is due."""
    monkeypatch.setattr(followers, "HEARTBEAT", 0.1)
    talk = await begin(live)
    async with follow(talk) as found:
        async with asyncio.timeout(LIMIT):
            while len(found.comments) < 3:
                found.changed.clear()
                await found.changed.wait()
        # Behind the service's back: no event is said.
        await live.sql.execute(
            """
            WITH s AS (UPDATE agents.session SET number = number + 1 WHERE id = $1
                       RETURNING id, number)
            INSERT INTO agents.message (session_id, number, id, role, content)
            SELECT id, number, gen_random_uuid(), 'USER', 'untold' FROM s
            """,
            UUID(talk.id),
        )
        await found.until(2)
    assert told(found.events)[1] == ("message", "untold")
    assert set(found.comments) == {"still here"}


async def test_ends_after_its_life(live: Agents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "LIFE", 0.2)
    async with follow(await begin(live)) as found:
        await is_over(found)


async def test_ends_when_the_process_is_to_stop(urls: DatabaseUrls) -> None:
    draining = Draining()
    async with living(urls, draining) as agents:
        await agents.prepare()
        async with follow(await begin(agents)) as found:
            await found.until(1)
            draining.begin()
            await is_over(found)


@pytest.mark.parametrize("kind", ["key", "session", "account", "membership"])
async def test_ends_when_the_credential_of_a_person_is_void(
    live: Agents, urls: DatabaseUrls, kind: str
) -> None:
    """Said by auth, so from its outbox; here published by hand."""
    talk = await of_person(live)
    person = talk.owner
    key, other = live.key_of(person), live.key_of(person)
    who: dict[str, Principal] = {"key": key}
    events: dict[str, Event] = {
        "key": ApiKeyRevoked(key_id=key.subject, org_id=person.org),
        "session": SessionRevoked(session_id=person.session, account_id=person.account),
        "account": AccountDisabled(account_id=person.account),
        "membership": MembershipChanged(
            org_id=person.org, account_id=person.account, role="", version=1
        ),
    }
    async with (
        follow(talk, principal=who.get(kind, person)) as gone,
        follow(talk, principal=other) as staying,
    ):
        await gone.until(1)
        await staying.until(1)
        await publish(urls, events[kind])
        await is_over(gone)
        if kind in ("key", "session"):
            await talk.say("still", "SYSTEM")
            await staying.until(2)
            assert not staying.over.is_set()
        else:
            await is_over(staying)


async def test_ends_when_a_service_account_changes(live: Agents, urls: DatabaseUrls) -> None:
    """Its password may have, and its older tokens are void then: whoever holds one comes back."""
    talk = await begin(live)
    async with follow(talk) as found:
        await found.until(1)
        await publish(
            urls,
            ServiceAccountChanged(
                service_account_id=talk.owner.subject,
                name="robot",
                active=True,
                deleted=False,
                version=1,
            ),
        )
        await is_over(found)


async def test_ends_when_the_rights_are_lost(live: Agents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "RECHECK", 0.1)
    talk = await begin(live)
    reader = await live.robot("admin", namespace=talk.namespace)
    async with follow(talk, principal=reader) as found, follow(talk) as own:
        await found.until(1)
        await live.sql.execute(
            "UPDATE agents.role_binding SET deleted = true WHERE principal_id = $1", reader.subject
        )
        live.forget()
        await is_over(found)
        await talk.say("not for all", "SYSTEM")
        await own.until(2)
    assert len(found.events) == 1


async def test_what_comes_after_the_rights_are_lost_is_not_told(live: Agents) -> None:
    """Also when there is no time between: each look asks before it tells."""
    talk = await begin(live)
    reader = await live.robot("admin", namespace=talk.namespace)
    async with follow(talk, principal=reader) as found:
        await found.until(1)
        await live.sql.execute(
            "UPDATE agents.role_binding SET deleted = true WHERE principal_id = $1", reader.subject
        )
        live.forget()
        await talk.say("secret", "SYSTEM")
        await is_over(found)
    assert told(found.events) == [("state", "READY")]


async def test_ends_for_a_service_account_that_is_not_active(
    live: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "RECHECK", 0.1)
    talk = await begin(live)
    async with follow(talk) as found:
        await found.until(1)
        await live.sql.execute(
            "UPDATE agents.service_account SET active = false WHERE id = $1",
            UUID(talk.owner.subject),
        )
        live.forget()
        await is_over(found)


async def test_streams_are_bounded(urls: DatabaseUrls) -> None:
    limits: dict[str, Any] = {"GUILDHALL_STREAMS": 3, "GUILDHALL_STREAMS_PER_CALLER": 2}
    async with living(urls, None, **limits) as agents, AsyncExitStack() as open_streams:
        await agents.prepare()
        one, two, three = [await begin(agents) for _ in range(3)]
        for _ in range(2):
            await open_streams.enter_async_context(follow(one))
        answer = await one.send("GET", "/events")
        assert answer.status_code == 429
        assert answer.json()["error"]["code"] == "RATE_LIMITED"
        assert int(answer.headers["retry-after"]) > 0
        async with follow(two):
            answer = await three.send("GET", "/events")
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
        # Whoever leaves makes room, as soon as the server notices.
        async with asyncio.timeout(LIMIT):
            while (await three.send("HEAD", "/events")).status_code != 200:
                await asyncio.sleep(0.05)


async def test_whoever_is_refused_takes_no_room(live: Agents) -> None:
    streams = live.resources[Streams]
    talk = await begin(live)
    async with asyncio.timeout(LIMIT):
        while streams.count:  # of other tests
            await asyncio.sleep(0.05)
    await talk.send("GET", "/events", headers={"last-event-id": "x"})
    await talk.send("HEAD", "/events")
    stranger = await live.robot()
    await talk.send("GET", "/events", stranger)
    async with asyncio.timeout(LIMIT):
        while streams.count:
            await asyncio.sleep(0.05)


async def test_ends_without_a_database_and_goes_on_with_one(
    live: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.errors import Unavailable

    talk = await begin(live)
    async with follow(talk) as found:
        await found.until(1)

        async def away(*arguments: Any) -> None:
            raise Unavailable

        with monkeypatch.context() as patched:
            patched.setattr("services.agents.events.store.after", away)
            await talk.say("meanwhile", "SYSTEM")
            await is_over(found)
    async with follow(talk, found.events[-1]["id"]) as found:
        await found.until(1)
    assert told(found.events) == [("message", "meanwhile")]
