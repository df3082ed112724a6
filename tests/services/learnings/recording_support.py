"""Pushing learnings as a client's sync does, and looking at what is stored."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg

from services.learnings.learnings.models import Author, Content, Entry, Likeness, Verdict
from services.learnings.learnings.operations import record_batch
from shared.db import Database
from tests.support.postgres import DatabaseUrls

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

NODE = "0123456789abcdef"
OTHER = "fedcba9876543210"


def entry(summary: str = "s", **fields: Any) -> Entry:
    """Make an entry of a push; what is not said is usual."""
    own: dict[str, Any] = {
        name: fields.pop(name)
        for name in ("origin", "source_id", "came_by", "client_seq")
        if name in fields
    }
    usual: dict[str, Any] = {
        "detail": "",
        "tags": [],
        "impact": 0.5,
        "status": "active",
        "type": "pattern",
        "source_project": None,
        "origin_project": None,
        "client_id": None,
        "vector_clock": {},
        "metadata": {},
        "sync_hash": None,
        "extra": {},
    }
    content = Content(summary=summary, **usual | fields)
    return Entry(content, **{"origin": NODE, "source_id": None} | own)


@dataclass
class Pusher:
    """One credential of an organization that pushes."""

    database: Database
    author: Author

    async def push(self, *entries: Entry, **options: Any) -> list[Verdict]:
        async with self.database.transaction() as connection:
            return await record_batch(connection, self.author, entries, Likeness(), **options)

    async def one(self, summary: str = "s", **fields: Any) -> Verdict:
        (verdict,) = await self.push(entry(summary, **fields))
        return verdict


@asynccontextmanager
async def pushing(urls: DatabaseUrls) -> AsyncIterator[Database]:
    """Open the service's database."""
    database = await Database.connect(urls.url("learnings"), size=6)
    try:
        yield database
    finally:
        await database.close()


async def rows_of(sql: Sql, org_id: str) -> dict[str, dict[str, Any]]:
    """Give all learnings of an organization by id, in the order of their numbers."""
    rows = await sql.fetch(
        "SELECT * FROM learnings.learning WHERE org_id = $1 ORDER BY sync_seq", org_id
    )
    found = {row["id"]: dict(row) for row in rows}
    for row in found.values():
        for name in ("metadata", "vector_clock", "extra"):
            row[name] = json.loads(row[name])
    return found


async def said_of(sql: Sql, org_id: str) -> list[tuple[str, str, int]]:
    """Give what was said of an organization's learnings: word, id, version."""
    rows = await sql.fetch("SELECT kind, payload FROM learnings.outbox ORDER BY id")
    events = [(row["kind"], json.loads(row["payload"])) for row in rows]
    return [
        (kind.split(".")[1], event["learning_id"], event["version"])
        for kind, event in events
        if event.get("org_id") == org_id and kind.startswith("learning.")
    ]


async def assert_sound(sql: Sql, org_id: str) -> None:
    """Check what must hold of any organization, whatever was written."""
    rows = await rows_of(sql, org_id)
    standing = [row for row in rows.values() if row["duplicate_of"] is None]
    live = [row for row in standing if row["status"] in ("active", "resolved")]
    assert len({row["text_hash"] for row in live}) == len(live), "one stands for each text"
    texts = {row["text_hash"]: row["id"] for row in live}
    for row in rows.values():
        if row["duplicate_of"] is not None:
            assert row["duplicate_of"] in rows
            if row["status"] in ("active", "resolved"):
                assert texts[row["text_hash"]] == row["duplicate_of"]
        else:
            assert row["served"]
    organization = await sql.fetchrow(
        "SELECT * FROM learnings.organization WHERE org_id = $1", org_id
    )
    assert organization is not None
    assert organization["learning_count"] == len(standing)
    assert organization["sequence"] >= max((row["sync_seq"] for row in rows.values()), default=0)
    marks = await sql.fetch("SELECT * FROM learnings.landmark WHERE org_id = $1", org_id)
    places = [(row["created_at"], row["id"]) for row in standing]
    for mark in marks:
        at = (mark["created_at"], mark["id"])
        assert mark["place"] == sum(place <= at for place in places)
