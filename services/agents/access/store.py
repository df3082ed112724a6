"""SQL of the copy of access. One statement decides what a caller holds; the rest keeps the copy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter

from services.agents.access.models import (
    Account,
    Asked,
    Bearing,
    Copied,
    Difference,
    Holdings,
    Known,
    Wanted,
)
from shared.db import Connection
from shared.grants import Grant

_GRANTS: Final = TypeAdapter(tuple[Grant, ...])


class Table(StrEnum):
    """The tables whose rows auth numbers."""

    ROLE = "role"
    ROLE_BINDING = "role_binding"
    SERVICE_ACCOUNT = "service_account"


_COLUMNS: Final = {
    Table.ROLE: {"name": "text", "rules": "jsonb"},
    Table.ROLE_BINDING: {
        "role_id": "uuid",
        "principal_type": "text",
        "principal_name": "text",
        "principal_id": "text",
        "namespace": "text",
    },
    Table.SERVICE_ACCOUNT: {"name": "text", "active": "boolean"},
}


_PARTS: Final = {
    Table.ROLE: "roles",
    Table.ROLE_BINDING: "bindings",
    Table.SERVICE_ACCOUNT: "service_accounts",
}
"""What the tables are called in a snapshot."""


async def find_holdings(connection: Connection, wanted: Wanted) -> Holdings:
    """Find what a caller holds in each namespace, in one statement."""
    row = await connection.fetchrow(
        """
        WITH bound AS (
            SELECT role_id, namespace FROM agents.role_binding
             WHERE principal_id = $1 AND principal_type = ANY($2::text[]) AND NOT deleted
            UNION ALL
            SELECT role_id, namespace FROM agents.role_binding
             WHERE principal_name = $3 AND principal_type IN ('User', 'Subject')
               AND principal_id IS NULL AND NOT deleted
            UNION ALL
            SELECT role_id, namespace FROM agents.role_binding
             WHERE principal_name = ANY($4::text[]) AND principal_type = 'Group'
               AND principal_id IS NULL AND NOT deleted),
        held AS (
            SELECT r.name AS role, b.namespace, r.rules
              FROM bound b JOIN agents.role r ON r.id = b.role_id AND NOT r.deleted
            UNION ALL
            SELECT $6, o.slug, c.standings -> $6
              FROM agents.organization o CROSS JOIN agents.access_copy c
             WHERE o.id = $5 AND NOT o.deleted AND c.standings ? $6)
        SELECT c.taken_at IS NOT NULL AS is_filled, a.name, a.active AND NOT a.deleted AS active,
               (SELECT coalesce(json_agg(held), '[]') FROM held)::text AS grants
          FROM agents.access_copy c LEFT JOIN agents.service_account a ON a.id = $7
        """,
        wanted.principal_id,
        wanted.types,
        wanted.subject,
        wanted.groups,
        wanted.org,
        wanted.standing,
        wanted.service_account,
    )
    assert row is not None  # the copy has one row, always
    account = None if row["name"] is None else Account(row["name"], row["active"])
    return Holdings(row["is_filled"], account, _GRANTS.validate_json(row["grants"]))


async def is_filled(connection: Connection) -> bool:
    """Tell whether the copy has ever been compared with a snapshot."""
    found: bool = await connection.fetchval("SELECT taken_at IS NOT NULL FROM agents.access_copy")
    return found


async def lock(connection: Connection) -> Copied:
    """Wait for one's turn to change the copy; it lasts until the transaction ends."""
    row = await connection.fetchrow("SELECT version, newest FROM agents.access_copy FOR UPDATE")
    assert row is not None  # the copy has one row, always
    return Copied(row["version"], row["newest"])


async def note(connection: Connection, version: int) -> int:
    """Note that a change was heard; locks as ``lock`` does, and gives the snapshot's number."""
    copied: int = await connection.fetchval(
        """
        WITH noted AS (
            UPDATE agents.access_copy SET newest = greatest(newest, $1)
            RETURNING version, through),
        kept AS (
            INSERT INTO agents.access_news (version) SELECT $1 FROM noted WHERE through < $1
            ON CONFLICT DO NOTHING)
        SELECT version FROM noted
        """,
        version,
    )
    return copied


async def asked(connection: Connection) -> Asked:
    """Tell what is known at this moment, before a snapshot is asked for."""
    row = await connection.fetchrow(
        "SELECT clock_timestamp() AS at, newest FROM agents.access_copy"
    )
    assert row is not None  # the copy has one row, always
    return Asked(row["at"], row["newest"])


async def has_gap(connection: Connection, patience: float) -> bool:
    """Tell whether a change is missing for longer than some seconds; note those that are not."""
    found: bool = await connection.fetchval(
        """
        WITH numbered AS (
            SELECT n.version, n.heard_at, c.through,
                   n.version - row_number() OVER (ORDER BY n.version) = c.through AS is_next
              FROM agents.access_news n CROSS JOIN agents.access_copy c
             WHERE n.version > c.through),
        reached AS (SELECT max(version) AS version FROM numbered WHERE is_next),
        moved AS (
            UPDATE agents.access_copy SET through = greatest(through, reached.version)
              FROM reached WHERE reached.version IS NOT NULL),
        forgotten AS (
            DELETE FROM agents.access_news n USING reached WHERE n.version <= reached.version)
        SELECT EXISTS (
            SELECT FROM numbered
             WHERE NOT is_next AND heard_at < clock_timestamp() - make_interval(secs => $1))
        """,
        patience,
    )
    return found


async def read_bearing(connection: Connection, snapshot: str) -> Bearing:
    """Read what a snapshot says of itself; the database takes it apart, off the event loop."""
    written: str = await connection.fetchval(
        """
        SELECT json_build_object('version', given -> 'version', 'standings', given -> 'standings')
          FROM (SELECT $1::text::json) AS snapshot (given)
        """,
        snapshot,
    )
    return Bearing.model_validate_json(written)


async def find_differences(
    connection: Connection, table: Table, snapshot: str, *, everything: bool
) -> list[Difference]:
    """Compare a snapshot with the copy of one table; all tenants: it has those of all.

    Args:
        connection: in a transaction that holds the lock.
        table: which.
        snapshot: JSON as auth wrote it.
        everything: also what has the same number in both.
    """
    rows = await connection.fetch(
        f"""
        SELECT coalesce(shown.id, known.id) AS id, shown.written, shown.version AS number,
               known.version, known.deleted
          FROM (SELECT (one ->> 'id')::uuid AS id, (one ->> 'version')::bigint AS version,
                       one::text AS written
                  FROM json_array_elements($1::text::json -> $2) AS one) AS shown
          FULL JOIN agents.{table} AS known ON known.id = shown.id
         WHERE $3 OR known.deleted OR known.version IS DISTINCT FROM shown.version
        """,  # noqa: S608 - a constant
        snapshot,
        _PARTS[table],
        everything,
    )
    return [
        Difference(
            row["id"],
            row["written"],
            row["number"] or 0,
            None if row["version"] is None else Known(row["version"], row["deleted"]),
        )
        for row in rows
    ]


async def find_one(connection: Connection, table: Table, row_id: UUID) -> Known | None:
    """Give the number of one row; all tenants: a change is told by its id."""
    row = await connection.fetchrow(
        f"SELECT version, deleted FROM agents.{table} WHERE id = $1",  # noqa: S608 - a constant
        row_id,
    )
    return None if row is None else Known(row["version"], row["deleted"])


async def put(connection: Connection, table: Table, rows: str) -> None:
    """Write rows, new or in place of what is there; all tenants: each row names its own.

    Args:
        connection: in a transaction that holds the lock.
        table: of which.
        rows: a JSON array of objects with ``id``, ``version``, ``deleted`` and the columns.
    """
    types = {"id": "uuid", "version": "bigint", "deleted": "boolean"} | _COLUMNS[table]
    names = ", ".join(types)
    changes = ", ".join(f"{name} = excluded.{name}" for name in types if name != "id")
    if table is Table.SERVICE_ACCOUNT:
        changes += ", heard_at = excluded.heard_at"
    form = ", ".join(f"{name} {kind}" for name, kind in types.items())
    await connection.execute(
        f"""
        INSERT INTO agents.{table} ({names})
        SELECT {names} FROM jsonb_to_recordset($1::text::jsonb) AS said ({form})
        ON CONFLICT (id) DO UPDATE SET {changes}
        """,  # noqa: S608 - constants
        rows,
    )


async def remove(connection: Connection, table: Table, ids: Sequence[UUID]) -> None:
    """Drop rows that nothing can bring back; all tenants: a snapshot says which."""
    await connection.execute(
        f"DELETE FROM agents.{table} WHERE id = ANY($1::uuid[])",  # noqa: S608 - a constant
        ids,
    )


async def end_accounts(connection: Connection, ids: Sequence[UUID], version: int) -> None:
    """Leave tombstones of service accounts, so that their tokens stay refused."""
    await connection.execute(
        """
        UPDATE agents.service_account
           SET deleted = true, version = $2, heard_at = clock_timestamp()
         WHERE id = ANY($1::uuid[])
        """,
        ids,
        version,
    )


async def remove_accounts(connection: Connection, ids: Sequence[UUID]) -> None:
    """Drop tombstones of service accounts once no token of theirs can be alive."""
    await connection.execute(
        """
        DELETE FROM agents.service_account
         WHERE id = ANY($1::uuid[]) AND heard_at < clock_timestamp() - interval '2 days'
        """,
        ids,
    )


async def merge_organizations(connection: Connection, snapshot: str, at: datetime) -> None:
    """Make the organizations those of a snapshot, but for what was heard after it was asked for.

    Args:
        connection: in a transaction that holds the lock.
        snapshot: JSON as auth wrote it.
        at: when the snapshot was asked for.
    """
    await connection.execute(
        """
        WITH shown AS (
            SELECT org_id, slug
              FROM json_to_recordset($1::text::json -> 'organizations')
                   AS said (org_id text, slug text)),
        taken AS (
            INSERT INTO agents.organization AS o (id, slug, heard_at)
            SELECT org_id, slug, $2 FROM shown
            ON CONFLICT (id) DO UPDATE
               SET slug = excluded.slug, deleted = false, heard_at = excluded.heard_at
             WHERE o.heard_at < $2 AND (o.deleted OR o.slug <> excluded.slug))
        UPDATE agents.organization o SET deleted = true, heard_at = $2
         WHERE NOT o.deleted AND o.heard_at < $2
           AND NOT EXISTS (SELECT FROM shown WHERE shown.org_id = o.id)
        """,
        snapshot,
        at,
    )


async def add_organization(connection: Connection, org_id: str, slug: str) -> None:
    """Note an organization; one whose end was heard of before stays ended."""
    await connection.execute(
        """
        INSERT INTO agents.organization AS o (id, slug) VALUES ($1, $2)
        ON CONFLICT (id) DO UPDATE SET slug = excluded.slug WHERE o.slug IS NULL
        """,
        org_id,
        slug,
    )


async def end_organization(connection: Connection, org_id: str) -> None:
    """Leave a tombstone of an organization."""
    await connection.execute(
        """
        INSERT INTO agents.organization AS o (id, deleted) VALUES ($1, true)
        ON CONFLICT (id) DO UPDATE SET deleted = true, heard_at = clock_timestamp()
        """,
        org_id,
    )


async def find_slug(connection: Connection, org_id: str) -> str | None:
    """Find the slug that an organization has or had."""
    slug: str | None = await connection.fetchval(
        "SELECT slug FROM agents.organization WHERE id = $1", org_id
    )
    return slug


async def forget_slug(connection: Connection, org_id: str) -> None:
    """Take the slug out of an organization's tombstone."""
    await connection.execute(
        "UPDATE agents.organization SET slug = NULL WHERE id = $1 AND deleted", org_id
    )


async def finish(connection: Connection, version: int, standings: str, *, restored: bool) -> None:
    """Note that the copy is that of a snapshot, with what was heard since.

    Args:
        connection: in a transaction that holds the lock.
        version: of the snapshot.
        standings: JSON.
        restored: auth was restored from a backup: numbers heard before mean nothing any more.
    """
    await connection.execute(
        """
        WITH forgotten AS (DELETE FROM agents.access_news WHERE version <= $1 OR $3)
        UPDATE agents.access_copy
           SET version = $1, standings = $2::text::jsonb, taken_at = clock_timestamp(),
               newest = CASE WHEN $3 THEN $1 ELSE greatest(newest, $1) END,
               through = CASE WHEN $3 THEN $1 ELSE greatest(through, $1) END
        """,
        version,
        standings,
        restored,
    )
