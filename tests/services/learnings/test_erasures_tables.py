"""After an organization is erased, no table holds anything of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from services.learnings.erasures import operations as erasures
from shared.db import Database
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.recording_support import Sql, pushing
from tests.support.postgres import DatabaseUrls
from tests.support.service import person

KEPT: Final = {
    "organization": "a row without a name, so that late news do not bring it back",
    "file": "marked as dropped until its object is deleted",
}

# By type, what stands in a column that must hold something, as SQL; $1 is the organization.
BY_TYPE: Final = {
    "text": "'x'",
    "bigint": "1",
    "integer": "1",
    "double precision": "0.5",
    "boolean": "true",
    "bytea": "sha256($1::text::bytea)",
    "uuid": "gen_random_uuid()",
    "date": "current_date",
    "timestamp with time zone": "now()",
    "text[]": "'{x}'",
    "bigint[]": "'{1}'",
    "jsonb": "'{}'",
}
BY_COLUMN: Final = {
    "org_id": "$1::text",
    "feed_id": "$1::text",
    "category": "'question'",
    "outcome": "'success'",
    "webhook_id": "'x'",
    "message_id": "'x'",
}
BY_TABLE: Final = {
    ("learning", "status"): "'active'",
    ("company_learning", "status"): "'active'",
    ("company_learning", "company_seq"): (
        "(SELECT coalesce(max(company_seq), 0) + 1 FROM learnings.company_learning)"
    ),
}
FIRST: Final = ("webhook", "webhook_message", "learning")

COLUMNS: Final = """
    SELECT c.relname AS relation, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
           a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS is_needed
      FROM pg_class AS c
      JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relnamespace = 'learnings'::regnamespace AND c.relkind IN ('r', 'p')
       AND NOT c.relispartition
     ORDER BY c.relname, a.attnum
    """


@pytest.fixture(scope="module")
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    async with pushing(urls) as database:
        yield database


async def columns_of(sql: Sql) -> dict[str, list[Any]]:
    """Give the columns of every table that names an organization."""
    found: dict[str, list[Any]] = {}
    for row in await sql.fetch(COLUMNS):
        found.setdefault(row["relation"], []).append(row)
    return {
        table: rows for table, rows in found.items() if any(row["name"] == "org_id" for row in rows)
    }


async def seed(sql: Sql, org_id: str) -> set[str]:
    """Put a row of the organization into every table; give the tables."""
    tables = await columns_of(sql)
    await sql.execute("SELECT learnings.make_telemetry_days(current_date, current_date)")
    for table in sorted(tables, key=lambda name: (name not in FIRST, name)):
        needed = [row for row in tables[table] if row["is_needed"] or row["name"] == "org_id"]
        values = [
            BY_TABLE.get((table, row["name"])) or BY_COLUMN.get(row["name"]) or BY_TYPE[row["type"]]
            for row in needed
        ]
        names = ", ".join(row["name"] for row in needed)
        await sql.execute(
            f"INSERT INTO learnings.{table} ({names}) VALUES ({', '.join(values)})",  # noqa: S608
            org_id,
        )
    return set(tables)


async def held(sql: Sql, org_id: str) -> dict[str, int]:
    """Count the organization's rows in every table."""
    return {
        table: count
        for table in await columns_of(sql)
        if (
            count := await sql.fetchval(
                f"SELECT count(*) FROM learnings.{table} WHERE org_id = $1",  # noqa: S608
                org_id,
            )
        )
    }


async def test_no_table_is_forgotten(tenant: Tenant, database: Database, sql: Sql) -> None:
    stranger = f"org_{uuid4().hex}"
    tables = await seed(sql, tenant.org)
    await seed(sql, stranger)
    assert set(await held(sql, tenant.org)) == tables
    before = await held(sql, stranger)
    for _ in range(2):
        async with database.transaction() as connection:
            await erasures.forget_organization(connection, tenant.org)
        assert set(await held(sql, tenant.org)) <= set(KEPT)
    kept = await sql.fetchval(
        "SELECT count(*) FROM learnings.file WHERE org_id = $1 AND kept", tenant.org
    )
    assert kept == 0
    assert await held(sql, stranger) == before


async def test_answers_kept_for_repeats_go_too(
    client: httpx.AsyncClient, database: Database, sql: Sql
) -> None:
    org, account = f"org_{uuid4().hex}", f"usr_{uuid4().hex}"
    gone = Tenant(client, person(org=org, account=account))
    stays = Tenant(client, person(org=f"org_{uuid4().hex}"))
    for tenant in (gone, stays):
        headers = {"idempotency-key": "k"}
        await tenant.send("POST", "/v1/learnings", json={"summary": "swordfish"}, headers=headers)
    owners = "SELECT principal FROM learnings.idempotency_key"
    assert any(org in row["principal"] for row in await sql.fetch(owners))
    async with database.transaction() as connection:
        await erasures.forget_organization(connection, org)
    left = [row["principal"] for row in await sql.fetch(owners)]
    assert not any(org in owner for owner in left)
    assert any(stays.org in owner for owner in left)


async def test_what_a_person_wrote_to_the_platform_goes_with_them(
    client: httpx.AsyncClient, database: Database, sql: Sql
) -> None:
    org, account = f"org_{uuid4().hex}", f"usr_{uuid4().hex}"
    ada = Tenant(client, person(org=org, account=account))
    answer = await ada.send(
        "POST",
        "/v1/submissions",
        json={"category": "question", "subject": "Why", "message": "Why is it so?"},
        headers={"idempotency-key": "k"},
    )
    assert answer.status_code == 200, answer.text
    async with database.transaction() as connection:
        await erasures.forget_account(connection, account, [])
    for table in ("submission", "idempotency_key", "learning"):
        rows = await sql.fetch(f"SELECT * FROM learnings.{table}")  # noqa: S608
        assert account not in str(rows), table
