"""Vectors help a search where there is a provider, and harm none where there is not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest

from services.learnings.app import SERVICE
from services.learnings.search.operations import Searcher
from services.learnings.search.operations.embedding import embed_some
from services.learnings.search.operations.provider import NoVectors
from services.learnings.settings import LearningsSettings
from shared.db import Database
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.services.learnings.vectors_support import SIZE, Provider, running_provider
from tests.support.postgres import DatabaseServer, DatabaseUrls
from tests.support.service import client_of

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running_provider() as provider:
        yield provider


@pytest.fixture
async def own(database_server: DatabaseServer) -> AsyncIterator[DatabaseUrls]:
    """A database of the test's own: what is embedded is everybody's."""
    async with database_server.clone() as cloned:
        yield cloned


def settings_of(urls: DatabaseUrls, folder: Path, provider: Provider, **more: Any) -> Any:
    values = {
        "GUILDHALL_EMBEDDINGS_URL": provider.url,
        "GUILDHALL_EMBEDDINGS_KEY": "sesame",
        "GUILDHALL_EMBEDDINGS_MODEL": "tiny",
        "GUILDHALL_EMBEDDINGS_SIZE": SIZE,
    }
    return learnings_settings(urls, folder, **values | more)


@pytest.fixture
async def embedder(own: DatabaseUrls, tmp_path: Path, provider: Provider) -> AsyncIterator[Any]:
    """Makes the vectors that are missing when it is called, and counts the batches."""
    settings = settings_of(own, tmp_path, provider)
    assert isinstance(settings, LearningsSettings)
    database = await Database.connect(own.url("learnings"))
    async with Searcher.opened(settings, database) as searcher:
        vectors = searcher.vectors
        assert vectors is not None, "the test's PostgreSQL has pgvector"

        async def embed() -> int:
            batches = 0
            while await embed_some(vectors, database):
                batches += 1
            return batches

        yield embed
    await database.close()


@pytest.fixture
async def tenant(own: DatabaseUrls, tmp_path: Path, provider: Provider) -> AsyncIterator[Tenant]:
    async with client_of(SERVICE, settings_of(own, tmp_path, provider)) as client:
        yield Tenant(client)


async def find(tenant: Tenant, query: str, **fields: Any) -> list[str]:
    answer = await tenant.send("POST", "/v1/learnings/search", json={"query": query} | fields)
    assert answer.status_code == 200, answer.text
    return [item["summary"] for item in answer.json()["results"]]


async def test_words_of_the_same_meaning_are_found(
    tenant: Tenant, provider: Provider, embedder: Any
) -> None:
    await tenant.record(summary="An automobile breaks")
    await tenant.record(summary="A physician helps", tags=["health"])
    assert await find(tenant, "car") == []
    assert await embedder() > 0
    assert await find(tenant, "car") == ["An automobile breaks"]
    assert await find(tenant, "medic", tags=["health"]) == ["A physician helps"]
    assert await find(tenant, "medic", tags=["sports"]) == []
    assert await tenant.ids(q="vehicle") == await tenant.ids(q="automobile")
    assert b"authorization: bearer sesame" in provider.heads[0].lower()


async def test_the_very_words_still_come_first(tenant: Tenant, embedder: Any) -> None:
    await tenant.record(summary="The vehicle is quick", impact=1.0)
    await tenant.record(summary="The car is fast", impact=0.1)
    await embedder()
    found = await find(tenant, "the car is fast")
    assert found == ["The car is fast", "The vehicle is quick"]


async def test_changes_are_embedded_anew_and_nothing_twice(
    tenant: Tenant, provider: Provider, embedder: Any
) -> None:
    made = await tenant.record(summary="A boat sinks")
    await embedder()
    assert len(provider.texts) == 1
    assert await embedder() == 0
    path = f"/v1/learnings/{made['id']}"
    await tenant.send("PATCH", path, json={"impact": 0.9})
    await embedder()
    assert len(provider.texts) == 1
    await tenant.send("PATCH", path, json={"summary": "A physician sinks"})
    await embedder()
    assert len(provider.texts) == 2
    assert await find(tenant, "ship") == []
    assert await find(tenant, "medic") == ["A physician sinks"]


async def test_more_than_a_batch(tenant: Tenant, embedder: Any, own: DatabaseUrls) -> None:
    for number in range(130):
        await tenant.record(summary=f"Number {number} of an automobile")
    await embedder()
    connection = await asyncpg.connect(own.url("learnings"), timeout=10)
    try:
        table = f"learnings.vector_{SIZE}"
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 130  # noqa: S608
        await connection.execute("DELETE FROM learnings.learning")
        await connection.execute("UPDATE learnings.organization SET learning_count = 0")
        assert await embedder() == 0
        for each in (table, f"{table}_place"):
            assert await connection.fetchval(f"SELECT count(*) FROM {each}") == 0  # noqa: S608
    finally:
        await connection.close(timeout=5)


async def test_no_vector_leads_to_another_organization(tenant: Tenant, embedder: Any) -> None:
    stranger = Tenant(tenant.client)
    await tenant.record(summary="Our automobile")
    await stranger.record(summary="Their boat")
    await embedder()
    assert await find(stranger, "car") == []
    assert await find(tenant, "car") == ["Our automobile"]


GARBAGE: list[str | bytes] = [
    "broken",
    b"",
    b"not json",
    b"[]",
    b'{"data": 7}',
    b'{"data": []}',
    b'{"data": [{"index": 0, "embedding": [1, 2]}]}',
    b'{"data": [{"index": 0, "embedding": "AAAA"}]}',
    b'{"data": [{"index": 0, "embedding": [NaN,0,0,0,0,0,0,0]}]}',
    b'{"data": [{"index": 0, "embedding": [1e999,0,0,0,0,0,0,0]}]}',
    b'{"data": [{"index": 0, "embedding": [0,0,0,0,0,0,0,0]}]}',
    b'{"data": [{"index": 1e400, "embedding": [1,0,0,0,0,0,0,0]}]}',
    b'{"data": [{"index": 9, "embedding": [1,0,0,0,0,0,0,0]}]}',
    b'{"data": [null]}',
]


@pytest.mark.parametrize("mood", GARBAGE, ids=str)
async def test_garbage_harms_no_search(
    tenant: Tenant, provider: Provider, embedder: Any, mood: str | bytes
) -> None:
    await tenant.record(summary="An automobile breaks")
    provider.mood = mood
    assert await find(tenant, "automobile") == ["An automobile breaks"]
    with pytest.raises(NoVectors):
        await embedder()


async def test_a_silent_provider_is_asked_once_and_left_alone(
    tenant: Tenant, provider: Provider
) -> None:
    await tenant.record(summary="An automobile breaks")
    provider.mood = "silent"
    started = time.monotonic()
    for number in range(5):
        assert await find(tenant, f"automobile {number}") == ["An automobile breaks"]
    assert len(provider.texts) == 1
    assert time.monotonic() - started < 30


async def test_no_provider_at_all(own: DatabaseUrls, tmp_path: Path, provider: Provider) -> None:
    dead = settings_of(own, tmp_path, provider, GUILDHALL_EMBEDDINGS_URL="http://127.0.0.1:1/v1")
    async with client_of(SERVICE, dead) as client:
        tenant = Tenant(client)
        await tenant.record(summary="An automobile breaks")
        assert await find(tenant, "automobile") == ["An automobile breaks"]


async def test_no_pgvector(own: DatabaseUrls, tmp_path: Path, provider: Provider) -> None:
    connection = await asyncpg.connect(own.admin, timeout=10)
    await connection.execute("DROP EXTENSION vector CASCADE")
    await connection.close(timeout=5)
    async with client_of(SERVICE, settings_of(own, tmp_path, provider)) as client:
        tenant = Tenant(client)
        await tenant.record(summary="An automobile breaks")
        assert await find(tenant, "automobile") == ["An automobile breaks"]
    assert provider.texts == []


async def test_the_background_makes_them(
    own: DatabaseUrls, tmp_path: Path, provider: Provider
) -> None:
    settings = settings_of(own, tmp_path, provider, GUILDHALL_SERVE_BACKGROUND=True)
    first: httpx.AsyncClient
    async with client_of(SERVICE, settings_of(own, tmp_path, provider)) as first:
        recorded = Tenant(first)
        await recorded.record(summary="An automobile breaks")
    async with client_of(SERVICE, settings) as second:
        tenant = Tenant(second, recorded.principal)
        deadline = time.monotonic() + 30
        while await find(tenant, "car") != ["An automobile breaks"]:
            assert time.monotonic() < deadline
