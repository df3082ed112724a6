from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import pytest

from services.learnings.installations.operations import (
    Sighting,
    Sightings,
    origin_of,
    seen,
)
from services.learnings.installations.operations import sightings as module
from shared.db import Database
from shared.principal import Kind, Principal
from tests.services.learnings.installations_support import HASH
from tests.support.postgres import DatabaseUrls

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture(scope="module")
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(urls.url("learnings"), size=4)
    yield database
    await database.close()


@pytest.fixture
def key() -> Principal:
    """An API key of an organization that nobody has seen."""
    name = f"key_{uuid4().hex}"
    return Principal(Kind.API_KEY, name, f"org_{uuid4().hex}", "admin", ("*",), name, "usr_one")


async def rows(sql: Sql, key: Principal) -> list[asyncpg.Record]:
    return await sql.fetch(
        "SELECT * FROM learnings.installation WHERE org_id = $1 ORDER BY identity", key.org
    )


async def once(sql: Sql, database: Database, *noted: Sighting) -> None:
    """Note and write, as one process would."""
    async with Sightings.opened(database) as sightings:
        for sighting in noted:
            sightings.note(sighting)
        await sightings.settle()


async def test_sync_and_telemetry_join(sql: Sql, database: Database, key: Principal) -> None:
    await once(
        sql,
        database,
        seen(key, client_id=f"sync-claude-code-{HASH}", pushed=3, pulled_to=7),
        seen(key, installation_id=HASH, events=5, os_platform="linux"),
    )
    [row] = await rows(sql, key)
    assert (row["installation_id"], row["client_profile"]) == (HASH, "claude-code")
    assert (row["pushed"], row["events"], row["pulled_to"]) == (3, 5, 7)
    assert (row["os_platform"], row["key_id"]) == ("linux", key.subject)


@pytest.mark.parametrize(
    ("client_id", "origin"),
    [
        (f"sync-claude-code-{HASH}", HASH),
        (f"sync--{HASH}", HASH),
        (f"sync-a-b-c-{HASH}", HASH),
        (f"sync-x-{HASH.upper()}", f"sync-x-{HASH.upper()}"),
        ("sync-x-0123", "sync-x-0123"),
        ("my laptop", "my laptop"),
        ("", ""),
    ],
)
def test_the_tail_of_a_client_id_is_its_installation(client_id: str, origin: str) -> None:
    assert origin_of(client_id) == origin


@pytest.mark.parametrize("unknown", ["", "unknown", "Unknown", "   ", "\x00"])
async def test_who_has_no_id_is_known_by_the_key(
    sql: Sql, database: Database, key: Principal, unknown: str
) -> None:
    await once(sql, database, seen(key, installation_id=unknown, events=1), seen(key))
    [row] = await rows(sql, key)
    assert (row["installation_id"], row["identity"]) == (None, f"key:{key.subject}")
    assert row["events"] == 1


async def test_a_key_becomes_the_client_that_shows_itself(
    sql: Sql, database: Database, key: Principal
) -> None:
    await once(sql, database, seen(key))
    [before] = await rows(sql, key)
    await once(sql, database, seen(key, client_id=f"sync-x-{HASH}"))
    await once(sql, database, seen(key))
    [after] = await rows(sql, key)
    assert (after["id"], after["installation_id"]) == (before["id"], HASH)


async def test_a_key_of_many_machines(sql: Sql, database: Database, key: Principal) -> None:
    await once(sql, database, seen(key))
    for number in range(3):
        await once(sql, database, seen(key, installation_id=f"{number:016x}"), seen(key))
    assert [row["installation_id"] for row in await rows(sql, key)] == [
        f"{number:016x}" for number in range(3)
    ]


async def test_a_new_one_is_said_once_whoever_sees_it(
    sql: Sql, database: Database, key: Principal
) -> None:
    sighting = seen(key, client_id=f"sync-x-{HASH}", project="git:" + HASH)
    await asyncio.gather(*(once(sql, database, sighting, seen(key)) for _ in range(6)))
    [row] = await rows(sql, key)
    said = await sql.fetch(
        "SELECT payload FROM learnings.outbox WHERE kind = 'installation.seen.v1'"
        " AND payload::jsonb ->> 'org_id' = $1",
        key.org,
    )
    [payload] = [json.loads(record[0]) for record in said]
    assert payload["installation_id"] == row["id"]
    assert payload["project"] == "git:" + HASH


async def test_the_newest_fact_counts_and_of_the_project_the_first(
    sql: Sql, database: Database, key: Principal
) -> None:
    first = seen(key, installation_id=HASH, framework_version="v1", project="first", pulled_to=9)
    then = seen(key, installation_id=HASH, framework_version="v2", project="then", pulled_to=2)
    await once(sql, database, first, then)
    await once(sql, database, seen(key, installation_id=HASH, project="later"))
    [row] = await rows(sql, key)
    assert (row["framework_version"], row["project"], row["pulled_to"]) == ("v2", "first", 2)


async def test_the_first_sight_is_written_without_being_asked_for(
    sql: Sql, database: Database, key: Principal
) -> None:
    async with Sightings.opened(database) as sightings, asyncio.timeout(10):
        sightings.note(seen(key))
        while not await rows(sql, key):
            await asyncio.sleep(0.005)


async def test_further_sights_wait_for_their_minute_or_the_end(
    sql: Sql, database: Database, key: Principal
) -> None:
    async with Sightings.opened(database) as sightings:
        sightings.note(seen(key))
        await sightings.settle()
        for _ in range(1000):
            sightings.note(seen(key, pushed=1))
        await sightings.settle()
        [row] = await rows(sql, key)
        assert row["pushed"] == 0
    [row] = await rows(sql, key)
    assert row["pushed"] == 1000


async def test_a_minute_later_they_are_written(
    sql: Sql, database: Database, key: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PERIOD", 0.0)
    monkeypatch.setattr(module, "TICK", 0.02)
    async with Sightings.opened(database) as sightings, asyncio.timeout(10):
        sightings.note(seen(key))
        await sightings.settle()
        sightings.note(seen(key, pushed=4))
        while (await rows(sql, key))[0]["pushed"] != 4:
            await asyncio.sleep(0.005)


async def test_who_stays_away_is_forgotten(
    database: Database, key: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"FORGET": 0.0, "TICK": 0.02, "MOST": 1}.items():
        monkeypatch.setattr(module, name, value)
    async with Sightings.opened(database) as sightings, asyncio.timeout(10):
        sightings.note(seen(key, installation_id="first"))
        await sightings.settle()
        sightings.note(seen(key, installation_id="too many"))
        assert len(sightings._known) == 1
        while sightings._known:
            await asyncio.sleep(0.005)


async def test_one_organization_leaves_room_for_others(
    sql: Sql, database: Database, key: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_OF_ONE", 3)
    other = Principal(Kind.API_KEY, "key_other", f"org_{uuid4().hex}")
    many = (seen(key, installation_id=f"{number:016x}") for number in range(10))
    await once(sql, database, *many, seen(other))
    assert len(await rows(sql, key)) == 3
    assert len(await rows(sql, other)) == 1


async def test_an_old_clients_id_is_its_projects_name(
    sql: Sql, database: Database, key: Principal
) -> None:
    await once(sql, database, seen(key, installation_id="shop"))
    await once(sql, database, seen(key, installation_id="inst-0123456789ab"))
    found = {row["installation_id"]: row["project"] for row in await rows(sql, key)}
    assert found == {"shop": "shop", "inst-0123456789ab": ""}


async def test_what_cannot_be_written_is_kept_and_then_dropped(
    sql: Sql, database: Database, key: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = 0

    async def refuse(self: Sightings, seen: list[Any]) -> None:
        nonlocal refused
        refused += 1
        raise ValueError("no")

    async with Sightings.opened(database) as sightings:
        with monkeypatch.context() as patched:
            patched.setattr(Sightings, "_store", refuse)
            sightings.note(seen(key, pushed=2))
            await sightings.settle()
            assert refused == 1
        sightings.note(seen(key, pushed=2))
    [row] = await rows(sql, key)
    assert row["pushed"] == 4


async def test_an_organization_has_so_many_at_most(
    sql: Sql, database: Database, key: Principal
) -> None:
    await sql.execute(
        """
        INSERT INTO learnings.installation (org_id, id, identity, installation_id)
        SELECT $1, 'inst_' || n, 'i' || n, 'i' || n FROM generate_series(1, 10000) AS n
        """,
        key.org,
    )
    await once(sql, database, seen(key, installation_id="new"), seen(key, installation_id="i7"))
    assert len(await rows(sql, key)) == 10_000


HOSTILE = [
    "\ud800",
    "a\x00b",
    "x" * 100_000,
    "/home/alice/project",
    "'; DROP TABLE learnings.installation; --",
    "😀" * 300,
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_no_text_holds_anything_up(
    sql: Sql, database: Database, key: Principal, text: str
) -> None:
    await once(
        sql,
        database,
        seen(key, client_id=text, project=text, model_family=text, pushed=10**30, pulled_to=10**30),
        seen(key, installation_id=text, framework_version=text, pulled_to=-5),
    )
    assert await rows(sql, key)
    assert "alice" not in str(await rows(sql, key))


async def test_a_person_is_seen_only_with_a_client(sql: Sql, database: Database) -> None:
    person = Principal(Kind.USER, "usr_x", f"org_{uuid4().hex}", account="usr_x")
    await once(sql, database, seen(person), seen(person, installation_id="unknown"))
    assert await rows(sql, person) == []
    await once(sql, database, seen(person, client_id=f"sync-x-{HASH}"))
    [row] = await rows(sql, person)
    assert row["key_id"] == ""


async def test_a_thousand_new_ones_are_written_together(
    sql: Sql, database: Database, key: Principal
) -> None:
    await once(
        sql, database, *(seen(key, installation_id=f"{number:016x}") for number in range(1200))
    )
    assert len(await rows(sql, key)) == 1200
