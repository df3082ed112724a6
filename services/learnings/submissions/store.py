"""SQL of submissions."""

from __future__ import annotations

import json

from services.learnings.submissions.models import Submission, Written
from shared.db import Connection


async def lock(connection: Connection, org_id: str, principal: str) -> None:
    """Let one submission of a caller be decided at a time, until the transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('learnings.submission:' || $1, 0))",
        f"{org_id}:{principal}",
    )


async def find_repeat(
    connection: Connection, org_id: str, principal: str, digest: bytes
) -> str | None:
    """Give the id under which a caller sent the same within 24 hours."""
    found: str | None = await connection.fetchval(
        """
        SELECT id FROM learnings.submission
         WHERE org_id = $1 AND principal = $2 AND digest = $3
           AND created_at > clock_timestamp() - interval '24 hours'
         ORDER BY created_at DESC LIMIT 1
        """,
        org_id,
        principal,
        digest,
    )
    return found


async def wait(connection: Connection, org_id: str, principal: str, hourly: int) -> float:
    """Give the seconds until a caller has sent fewer than ``hourly`` within an hour; 0 for now."""
    seconds: float | None = await connection.fetchval(
        """
        SELECT extract(epoch FROM created_at + interval '1 hour' - clock_timestamp())::float8
          FROM learnings.submission WHERE org_id = $1 AND principal = $2
         ORDER BY created_at DESC LIMIT 1 OFFSET $3 - 1
        """,
        org_id,
        principal,
        hourly,
    )
    return max(0.0, seconds or 0.0)


async def insert(connection: Connection, new: Written) -> None:
    """Add a submission."""
    await connection.execute(
        """
        INSERT INTO learnings.submission (org_id, id, principal, account_id, category, subject,
               message, metadata, contact_email, digest)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9, $10)
        """,
        new.org_id,
        new.id,
        new.principal,
        new.account_id,
        new.category,
        new.subject,
        new.message,
        json.dumps(dict(new.metadata)),
        new.contact_email,
        new.digest,
    )


def _of(category: str | None) -> str:
    """Filter by the first parameter; each form has its own index."""
    return "$1::text IS NULL" if category is None else "s.category = $1"


async def list_all(
    connection: Connection, category: str | None, limit: int, offset: int
) -> list[Submission]:
    """Give a page of submissions, newest first.

    Reads all tenants: they are written to the people who run the platform; org_id comes out.
    """
    rows = await connection.fetch(
        f"""
        SELECT s.id, s.org_id, coalesce(o.name, '') AS org_name, s.category, s.subject, s.message,
               s.metadata::text, s.contact_email, s.principal, s.created_at
          FROM learnings.submission AS s
          LEFT JOIN learnings.organization AS o ON o.org_id = s.org_id
         WHERE {_of(category)}
         ORDER BY s.created_at DESC, s.id DESC LIMIT $2 OFFSET $3
        """,  # noqa: S608 - one of two constants
        category,
        limit,
        offset,
    )
    return [Submission(**(dict(row) | {"metadata": json.loads(row["metadata"])})) for row in rows]


async def count_all(connection: Connection, category: str | None, cap: int) -> int:
    """Count submissions, up to a cap.

    Reads all tenants: they are written to the people who run the platform.
    """
    total: int = await connection.fetchval(
        f"""
        SELECT count(*) FROM (SELECT FROM learnings.submission AS s
                               WHERE {_of(category)} LIMIT $2) AS capped
        """,  # noqa: S608 - one of two constants
        category,
        cap,
    )
    return total
