"""The stream (learnings contract, section 6.5), over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from services.learnings.app import SERVICE
from shared import followers
from shared.contracts.auth import ApiKeyRevoked, MembershipChanged, SessionRevoked
from shared.db import Database
from shared.principal import Kind, Principal
from shared.service import create_app
from shared.streams import Draining
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.services.learnings.stream_support import LIMIT, Reading, reading
from tests.services.learnings.sync_support import entry, push
from tests.support.postgres import DatabaseUrls
from tests.support.service import asserting
from tests.support.serving import serving


@asynccontextmanager
async def served(
    urls: DatabaseUrls, folder: Path, draining: Draining | None = None, **values: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """The service on a real port, its relay running."""
    settings = learnings_settings(urls, folder, **{"GUILDHALL_SERVE_BACKGROUND": True} | values)
    app = create_app(SERVICE, settings, draining)
    async with (
        serving(app) as url,
        httpx.AsyncClient(base_url=url, timeout=LIMIT) as client,
    ):
        yield client


@pytest.fixture(scope="module")
async def live(
    urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    async with served(urls, tmp_path_factory.mktemp("stream")) as client:
        yield client


@pytest.fixture
def there(live: httpx.AsyncClient) -> Tenant:
    return Tenant(live)


@asynccontextmanager
async def follow(tenant: Tenant, last: str | int | None = None) -> AsyncIterator[Reading]:
    headers = asserting("learnings", tenant.principal)
    async with reading(tenant.client, headers, last) as found:
        yield found


async def test_live_from_now_without_a_last_id(there: Tenant) -> None:
    await there.record(summary="before")
    async with follow(there) as found:
        made = await there.record(summary="after", detail="two\nlines", tags=["a"])
        (event,) = await found.until(1)
    assert found.retry == "5000"
    assert event["id"] == str(made["sync_seq"])
    assert event["event"] == event["data"]["type"] == "learning_published"
    assert event["data"]["id"] == made["id"]
    assert event["data"]["summary"] == "after"
    assert event["data"]["detail"] == "two\nlines"
    assert event["data"]["tags"] == ["a"]


async def test_updates_and_retirements_have_their_own_names(there: Tenant) -> None:
    made = await there.record(summary="first")
    path = f"/v1/learnings/{made['id']}"
    async with follow(there) as found:
        await there.send("PATCH", path, json={"summary": "second"})
        await found.until(1)
        await there.send("PATCH", path + "/status", json={"status": "obsolete"})
        await found.until(2)
    assert [(event["event"], event["data"]["id"]) for event in found.events] == [
        ("learning_updated", made["id"]),
        ("learning_retired", made["id"]),
    ]
    assert found.events[0]["data"]["summary"] == "second"


async def test_replays_everything_after_the_last_id_and_goes_on(there: Tenant) -> None:
    made = [await there.record(summary=f"number {n}") for n in range(250)]
    async with follow(there, made[9]["sync_seq"]) as found:
        await found.until(240)
        late = await there.record(summary="late")
        await found.until(241)
    expected = [one["sync_seq"] for one in made[10:]] + [late["sync_seq"]]
    assert found.ids == expected
    async with follow(there, 0) as found:
        await found.until(251)
    assert found.ids == [one["sync_seq"] for one in made] + [late["sync_seq"]]


async def test_reconnecting_reader_misses_and_repeats_nothing(there: Tenant) -> None:
    stop = asyncio.Event()
    made: list[int] = []

    async def write() -> None:
        while not stop.is_set():
            one = await there.record(summary=f"number {len(made)}")
            made.append(one["sync_seq"])

    writer = asyncio.create_task(write())
    seen: list[int] = []
    for _ in range(6):
        async with follow(there, seen[-1] if seen else 0) as found:
            await found.until(10)
        seen += found.ids
    stop.set()
    await writer
    async with follow(there, seen[-1]) as found:
        await found.until(len(made) - len(seen)) if len(made) > len(seen) else None
    assert seen + found.ids == made


async def test_another_organization_hears_nothing(there: Tenant, live: httpx.AsyncClient) -> None:
    stranger = Tenant(live)
    async with follow(there) as found:
        await stranger.record(summary="secret")
        await there.record(summary="own")
        (event,) = await found.until(1)
    assert event["data"]["summary"] == "own"


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 400, "1 2", "\xb2"])
async def test_bad_last_id_is_422(there: Tenant, last: str) -> None:
    headers = {"last-event-id": last.encode("latin-1")}
    answer = await there.send("GET", "/v1/learnings/stream", headers=headers)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["header", "Last-Event-ID"]


@pytest.mark.parametrize("last", ["", "999999999999"])
async def test_unknown_last_id_is_live_from_now(there: Tenant, last: str) -> None:
    await there.record(summary="before")
    async with follow(there, last) as found:
        await there.record(summary="after")
        (event,) = await found.until(1)
    assert event["data"]["summary"] == "after"


async def test_needs_the_scope(there: Tenant) -> None:
    there.principal = Principal(Kind.API_KEY, "key_1", there.org, scopes=("sync:read",))
    answer = await there.send("GET", "/v1/learnings/stream")
    assert (answer.status_code, answer.json()) == (403, {"detail": "Missing scope: learnings:read"})


async def test_key_follows_what_its_policy_allows(there: Tenant) -> None:
    policy = {"tags": ["db"], "min_impact": 0.5}
    answer = await there.send("PUT", "/v1/sync/policies/key_1", json=policy)
    assert answer.status_code == 200, answer.text
    person = there.principal
    key = Principal(Kind.API_KEY, "key_1", there.org, scopes=("*",), session="key_1")
    async with reading(there.client, asserting("learnings", key)) as found:
        there.principal = person
        await there.record(summary="too low", tags=["db"], impact=0.4)
        await there.record(summary="another tag", tags=["ui"], impact=0.9)
        await there.record(summary="fits", tags=["db", "ui"], impact=0.9)
        (event,) = await found.until(1)
    assert event["data"]["summary"] == "fits"


async def test_head_of_the_stream_ends_at_once(there: Tenant) -> None:
    answer = await there.send("HEAD", "/v1/learnings/stream")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_silence_is_broken_by_comments_and_polls(
    there: Tenant, monkeypatch: pytest.MonkeyPatch, sql: asyncpg.Connection[Any]
) -> None:
    """What the bus does not tell is found when the next comment is due."""
    monkeypatch.setattr(followers, "HEARTBEAT", 0.1)
    async with follow(there) as found:
        async with asyncio.timeout(LIMIT):
            while len(found.comments) < 3:
                found.changed.clear()
                await found.changed.wait()
        made = await there.record(summary="told")
        await found.until(1)
        # Behind the service's back: no event is said.
        await sql.execute(
            """
            WITH moved AS (UPDATE learnings.organization SET sequence = sequence + 1
                            WHERE org_id = $1 RETURNING sequence)
            UPDATE learnings.learning AS l SET sync_seq = sequence, version = 2, summary = 'untold'
              FROM moved WHERE l.id = $2
            """,
            there.org,
            made["id"],
        )
        await found.until(2)
    assert found.events[1]["data"]["summary"] == "untold"
    assert set(found.comments) == {"still here"}


async def test_ends_after_its_life(there: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "LIFE", 0.2)
    async with follow(there) as found, asyncio.timeout(LIMIT):
        await found.over.wait()


async def test_ends_when_the_process_is_to_stop(urls: DatabaseUrls, tmp_path: Path) -> None:
    draining = Draining()
    async with served(urls, tmp_path, draining) as client:
        tenant = Tenant(client)
        async with follow(tenant) as found:
            await tenant.record()
            await found.until(1)
            draining.begin()
            async with asyncio.timeout(LIMIT):
                await found.over.wait()


@pytest.mark.parametrize("kind", ["key", "session"])
async def test_ends_when_the_credential_is_revoked(
    there: Tenant, urls: DatabaseUrls, kind: str
) -> None:
    """Said by auth, so from its outbox; here published by hand."""
    other = Principal(Kind.API_KEY, "key_other", there.org, scopes=("*",), session="key_other")
    if kind == "key":
        who = Principal(Kind.API_KEY, "key_gone", there.org, scopes=("*",), session="key_gone")
        event: Any = ApiKeyRevoked(key_id="key_gone", account_id="usr_one", org_id=there.org)
    else:
        who, event = there.principal, SessionRevoked(session_id="ses_one", account_id="usr_one")
    async with (
        reading(there.client, asserting("learnings", who)) as gone,
        reading(there.client, asserting("learnings", other)) as staying,
    ):
        await there.record()
        await gone.until(1)
        await publish(urls, event)
        async with asyncio.timeout(LIMIT):
            await gone.over.wait()
        await there.record(summary="still")
        await staying.until(2)
        assert not staying.over.is_set()


async def test_member_who_leaves_loses_the_stream_and_one_who_stays_does_not(
    there: Tenant, urls: DatabaseUrls
) -> None:
    changed = {"account_id": "usr_one", "version": 1}
    async with follow(there) as found:
        for org, role in ((there.org, "admin"), ("org_other", "")):
            await publish(
                urls, MembershipChanged.model_validate(changed | {"org_id": org, "role": role})
            )
        await there.record()
        await found.until(1)
        assert not found.over.is_set()
        await publish(
            urls, MembershipChanged.model_validate(changed | {"org_id": there.org, "role": ""})
        )
        async with asyncio.timeout(LIMIT):
            await found.over.wait()


async def publish(urls: DatabaseUrls, event: Any) -> None:
    """Send an event as auth's relay would."""
    from shared.bus import connect
    from shared.bus.events import encode

    transport = await connect(urls.url("bus"))
    try:
        await transport.publish([encode(event)])
    finally:
        await transport.close()


async def test_streams_are_bounded(urls: DatabaseUrls, tmp_path: Path) -> None:
    limits: dict[str, Any] = {"GUILDHALL_STREAMS": 3, "GUILDHALL_STREAMS_PER_ORGANIZATION": 2}
    async with served(urls, tmp_path, None, **limits) as client, AsyncExitStack() as open_streams:
        one, two = Tenant(client), Tenant(client)
        for _ in range(2):
            await open_streams.enter_async_context(follow(one))
        answer = await one.send("GET", "/v1/learnings/stream")
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        async with follow(two):
            answer = await Tenant(client).send("GET", "/v1/learnings/stream")
            assert answer.status_code == 503
        # Whoever leaves makes room, as soon as the server notices.
        async with asyncio.timeout(LIMIT):
            while True:
                answer = await two.send("HEAD", "/v1/learnings/stream")
                if answer.status_code == 200:
                    break
                await asyncio.sleep(0.05)


async def test_pushed_learnings_are_streamed(there: Tenant) -> None:
    async with follow(there) as found:
        await push(there, entry("L-1"), entry("L-2"))
        await found.until(2)
    assert [event["data"]["source_learning_id"] for event in found.events] == ["L-1", "L-2"]


async def test_slow_reader_costs_only_its_own(there: Tenant) -> None:
    """One that does not read at all: others get everything, and memory holds one page of it."""
    for number in range(40):
        await there.record(summary=f"number {number}", detail=f"{number}" + "x" * 60_000)
    url = there.client.base_url
    slow, writer = await asyncio.open_connection(url.host, url.port, limit=1024)
    head = "GET /v1/learnings/stream HTTP/1.1\r\nhost: x\r\nlast-event-id: 0\r\n"
    for name, value in asserting("learnings", there.principal).items():
        head += f"{name}: {value}\r\n"
    writer.write(head.encode() + b"\r\n")
    await slow.readuntil(b"\r\n\r\n")
    async with follow(there, 0) as found:
        await found.until(40)
        await there.record(summary="after")
        await found.until(41)
    writer.transport.abort()


async def test_page_ends_early_for_long_texts(there: Tenant, urls: DatabaseUrls) -> None:
    for number in range(3):
        await there.record(summary=f"number {number}", detail=f"{number}" + "x" * 60_000)
    from services.learnings.stream import store

    database = await Database.connect(urls.url("learnings"))
    try:
        async with database.connection() as connection:
            page = await store.after(connection, there.org, "", 0, 100, 100_000)
            assert (len(page.events), page.waits) == (1, True)
            page = await store.after(connection, there.org, "", 0, 100, 10)
            assert (len(page.events), page.waits) == (1, True)
            page = await store.after(connection, there.org, "", 0, 3, 10**9)
            assert (len(page.events), page.waits) == (3, True)
            page = await store.after(connection, there.org, "", page.to, 3, 10**9)
            assert (page.events, page.waits) == ([], False)
    finally:
        await database.close()
