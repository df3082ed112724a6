"""The SQL of the policies of keys."""

from __future__ import annotations

from typing import Final

from services.learnings.key_policies.models import NewPolicy, Policy
from shared.db import Connection

_POLICY: Final = """
    SELECT p.key_id, p.origin_projects, p.tags, p.min_impact, p.quota, p.updated_at,
           coalesce(u.recorded, 0) AS recorded
      FROM learnings.key_policy AS p
      LEFT JOIN learnings.key_usage AS u ON u.org_id = p.org_id AND u.key_id = p.key_id
     WHERE p.org_id = $1"""


async def list_policies(
    connection: Connection, org_id: str, limit: int, offset: int
) -> list[Policy]:
    """Give one page, by key."""
    rows = await connection.fetch(
        _POLICY + " ORDER BY p.key_id LIMIT $2 OFFSET $3", org_id, limit, offset
    )
    return [Policy(**row) for row in rows]


async def count(connection: Connection, org_id: str) -> int:
    """Count an organization's policies, which are few."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM learnings.key_policy WHERE org_id = $1", org_id
    )
    return found


async def find(connection: Connection, org_id: str, key_id: str) -> Policy | None:
    """Give the policy of a key."""
    row = await connection.fetchrow(_POLICY + " AND p.key_id = $2", org_id, key_id)
    return None if row is None else Policy(**row)


async def put(
    connection: Connection, org_id: str, key_id: str, policy: NewPolicy, most: int
) -> bool:
    """Write the policy of a key; False where the organization has ``most`` others already."""
    written = await connection.fetchval(
        """
        INSERT INTO learnings.key_policy AS p
               (org_id, key_id, origin_projects, tags, min_impact, quota)
        SELECT $1, $2, $3, $4, $5, $6
         WHERE (SELECT count(*) FROM learnings.key_policy AS o
                 WHERE o.org_id = $1 AND o.key_id <> $2) < $7
        ON CONFLICT (org_id, key_id) DO UPDATE
           SET origin_projects = excluded.origin_projects, tags = excluded.tags,
               min_impact = excluded.min_impact, quota = excluded.quota,
               updated_at = greatest(clock_timestamp(), p.updated_at + interval '1 us')
        RETURNING true
        """,
        org_id,
        key_id,
        policy.origin_projects,
        policy.tags,
        policy.min_impact,
        policy.quota,
        most,
    )
    return bool(written)


async def delete(connection: Connection, org_id: str, key_id: str) -> bool:
    """Drop the policy of a key; False where it has none."""
    dropped = await connection.fetchval(
        "DELETE FROM learnings.key_policy WHERE org_id = $1 AND key_id = $2 RETURNING true",
        org_id,
        key_id,
    )
    return bool(dropped)
