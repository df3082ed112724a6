"""Models of the existing clients against the whole system, through the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.services.learnings.stream_support import LIMIT, reading
from tests.services.learnings.sync_support import entry, hash_of
from tests.support.stack import MakeStack, Stack
from tests.system.people import Person, joined
from tests.system.sync_clients import Publisher, Sdk, SyncLoop

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture
async def http(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=LIMIT) as client:
        yield client


@pytest.fixture
async def ada(stack: Stack, http: httpx.AsyncClient) -> Person:
    return await joined(http, stack.mail_directory, f"ada-{uuid4().hex}@example.com")


async def key_of(person: Person, **fields: Any) -> dict[str, Any]:
    answer = await person.client.post(
        f"/v1/admin/organizations/{person.org_id}/api-keys",
        json={"name": "a client"} | fields,
        headers=person.headers,
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def client_id(letter: str) -> str:
    return f"sync-claude-code-{letter * 16}"


async def test_two_clients_and_a_third_share_what_they_learned(ada: Person) -> None:
    key = (await key_of(ada))["key"]
    one, two, three = (SyncLoop(ada.client, key, client_id(letter)) for letter in "abc")
    # The same local id on two installations, an entry that cannot be used, and a backlog.
    one.dirty = [entry(f"L-{number}", summary=f"One's {number}") for number in range(250)]
    one.dirty.insert(120, entry(" "))
    two.dirty = [entry("L-7", summary="Two's own", detail="of two"), entry("canary-001")]
    await asyncio.gather(one.push(), two.push())
    assert (one.dirty, two.dirty) == ([], [])
    assert list(one.quarantine) == [" "]
    await three.pull()
    assert len(three.store) == 251
    assert {row["summary"] for row in three.store.values()} >= {"One's 7", "Two's own"}
    await one.pull()
    assert [row["summary"] for row in one.store.values()] == ["Two's own"]
    # An edit with the same clock, as clients send it, reaches a peer that has the row.
    edited = {"summary": "Edited", "sync_hash": hash_of("edited")}
    one.dirty = [entry("L-3", **edited)]
    await one.push()
    await three.pull()
    assert "Edited" in {row["summary"] for row in three.store.values()}
    assert one.failures == two.failures == three.failures == 0


async def test_publisher_waits_as_it_is_told_and_succeeds(make_stack: MakeStack) -> None:
    """Section 2.2: 429 with Retry-After until the budget has filled again, then success."""
    stack = make_stack(GUILDHALL_RATE_LIMITS="learnings=4/8")
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=LIMIT) as http:
        ada = await joined(http, stack.mail_directory, "ada@example.com")
        publisher = Publisher(http, (await key_of(ada))["key"])
        for number in range(7):
            learning = {"summary": f"Published {number}", "impact": 0.6, "embedding": [0.1] * 384}
            assert await publisher.publish(learning)
    assert publisher.waits
    assert all(1 <= wait <= 10 for wait in publisher.waits)


async def test_library_publishes_retires_searches_and_follows(ada: Person) -> None:
    key = (await key_of(ada))["key"]
    writer, reader = Sdk(ada.client, key), Sdk(ada.client, key)
    reader.last_id = "0"
    word = uuid4().hex
    await writer.publish("M-" + "1" * 16, f"Zebras need {word}")
    await reader.follow(1)
    hits = await reader.search(f"zebras {word}")
    assert [hit["summary"] for hit in hits] == [f"Zebras need {word}"]
    # While nobody follows: replayed after the last id.
    await writer.publish("M-" + "2" * 16, "Published meanwhile")
    await writer.retire("M-" + "1" * 16)
    await reader.follow(2)
    assert [event["event"] for event in reader.events] == [
        "learning_published",
        "learning_published",
        "learning_retired",
    ]
    assert reader.events[2]["data"]["id"] == writer.remote_ids["M-" + "1" * 16]


async def test_live_events_pass_the_gateway_at_once(ada: Person) -> None:
    key = (await key_of(ada))["key"]
    writer = Sdk(ada.client, key)
    async with reading(ada.client, writer.headers) as found:
        for number in range(5):
            await writer.publish(f"L-{number}", f"Live {number}")
            await found.until(number + 1)
    assert [event["data"]["summary"] for event in found.events] == [
        f"Live {number}" for number in range(5)
    ]


async def test_revoked_key_loses_its_stream_and_everything_else(ada: Person) -> None:
    """Section 8.9."""
    made = await key_of(ada)
    client = SyncLoop(ada.client, made["key"], client_id("a"))
    async with reading(ada.client, client.headers) as found:
        async with asyncio.timeout(LIMIT):
            while not found.retry:
                found.changed.clear()
                await found.changed.wait()
        path = f"/v1/admin/organizations/{ada.org_id}/api-keys/{made['id']}"
        assert (await ada.client.delete(path, headers=ada.headers)).status_code == 204
        async with asyncio.timeout(LIMIT):
            await found.over.wait()
            while (
                await ada.client.get("/v1/intel/state", headers=client.headers)
            ).status_code != 401:
                await asyncio.sleep(0.05)
    answer = await ada.client.get("/v1/learnings/stream", headers=client.headers)
    assert answer.status_code == 401


async def test_missing_scope_is_named(ada: Person) -> None:
    made = await key_of(ada, scopes=["learnings:read"])
    headers = {"authorization": f"Bearer {made['key']}"}
    answer = await ada.client.get("/v1/intel/state", headers=headers)
    assert (answer.status_code, answer.json()) == (403, {"detail": "Missing scope: sync:read"})
    answer = await ada.client.post("/v1/sync/learnings", json={"entries": []}, headers=headers)
    assert (answer.status_code, answer.json()) == (403, {"detail": "Missing scope: sync:write"})


async def test_not_modified_passes_the_gateway_without_a_body(ada: Person) -> None:
    first = await ada.client.get("/v1/intel/state", headers=ada.headers)
    headers = ada.headers | {"if-none-match": first.headers["etag"]}
    answer = await ada.client.get("/v1/intel/state", headers=headers)
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == first.headers["etag"]
    assert answer.headers["x-ratelimit-limit"]


async def test_large_push_passes_the_gateway(ada: Person) -> None:
    key = (await key_of(ada))["key"]
    entries = [entry(f"L-{number}", detail=f"{number} " + "x " * 4_000) for number in range(500)]
    headers = {"authorization": f"Bearer {key}"}
    body = {"entries": entries, "client_id": client_id("a"), "push_seq": 1}
    answer = await ada.client.post("/v1/sync/learnings", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["inserted"] == 500
    puller = SyncLoop(ada.client, key, client_id("b"))
    await puller.pull()
    assert len(puller.store) == 500
