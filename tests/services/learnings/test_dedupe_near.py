"""Near duplicates are marked, and served all the same (learnings contract, section 6.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.learnings.learnings.models import Author
from shared.db import Database
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.recording_support import Pusher, Sql, entry, pushing, rows_of
from tests.support.postgres import DatabaseUrls

SUMMARY = "Connections of the pool time out when the database fails over to its standby"
DETAIL = "Seen in production: the pool keeps connections of the old primary and hands them out."


@pytest.fixture(scope="module")
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    async with pushing(urls) as database:
        yield database


async def test_a_near_duplicate_is_marked_and_served(
    tenant: Tenant, database: Database, sql: Sql
) -> None:
    made = await tenant.record(summary=SUMMARY, detail=DETAIL)
    near = await tenant.record(summary=SUMMARY + "s", detail=DETAIL + " Again.")
    assert (near["similar_to"], near["duplicate_of"]) == (made["id"], None)
    pusher = Pusher(database, Author(tenant.org, "key_push", "usr_push"))
    pushed = await pusher.push(
        entry(SUMMARY + " x", detail=DETAIL), entry("Another matter altogether", detail=DETAIL)
    )
    rows = await rows_of(sql, tenant.org)
    assert rows[pushed[0].id or ""]["similar_to"] in (made["id"], near["id"])
    assert rows[pushed[1].id or ""]["similar_to"] is None
    assert all(row["served"] for row in rows.values())
    assert (await tenant.page())["total"] == 4


@pytest.mark.parametrize(
    ("summary", "detail"),
    [
        (SUMMARY + "s", "Something else was seen, and it was done about it at once. " * 2),
        ("Half of it: connections of the pool do not come back after a restart at all", DETAIL),
    ],
)
async def test_what_is_alike_in_part_is_not_marked(
    tenant: Tenant, summary: str, detail: str
) -> None:
    await tenant.record(summary=SUMMARY, detail=DETAIL)
    made = await tenant.record(summary=summary, detail=detail)
    assert made["similar_to"] is None


async def test_within_one_batch_too(tenant: Tenant, database: Database, sql: Sql) -> None:
    pusher = Pusher(database, Author(tenant.org, "key_push", "usr_push"))
    first, second = await pusher.push(entry(SUMMARY), entry(SUMMARY + "s"))
    assert (await rows_of(sql, tenant.org))[second.id or ""]["similar_to"] == first.id


async def test_another_organizations_are_not_met(tenant: Tenant, stranger: Tenant) -> None:
    await stranger.record(summary=SUMMARY)
    assert (await tenant.record(summary=SUMMARY + "s"))["similar_to"] is None


async def test_a_text_that_changes_is_compared_anew(tenant: Tenant) -> None:
    made = await tenant.record(summary=SUMMARY)
    other = await tenant.record(summary="Another matter altogether")
    path = f"/v1/learnings/{other['id']}"
    changed = await tenant.send("PATCH", path, json={"summary": SUMMARY + "s"})
    assert changed.json()["similar_to"] == made["id"]
    back = await tenant.send("PATCH", path, json={"summary": "Something else now"})
    assert back.json()["similar_to"] is None


async def test_candidates_are_found_by_their_keys(
    sql: asyncpg.Connection[asyncpg.Record],
) -> None:
    async with sql.transaction():
        await sql.execute("SET LOCAL enable_seqscan = off")
        plan = await sql.fetch(
            """
            EXPLAIN SELECT FROM (SELECT org_id FROM learnings.learning
                                  WHERE bands && $2 OFFSET 0) AS k WHERE k.org_id = $1
            """,
            "o",
            [1, 2],
        )
    assert "learning_bands" in str(plan)
