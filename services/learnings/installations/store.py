"""SQL of installations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.learnings.installations.models import (
    AdminInstallation,
    Installation,
    NewInstallation,
    Seen,
)
from shared.db import Connection

MOST: Final = 10_000
"""Installations of one organization: a client that makes up a new id each time fills no disk."""


async def adopt(connection: Connection, rows: Sequence[Seen]) -> None:
    """Let clients that show their own ids take over the rows under which their keys were known.

    Each row names its tenant: ``org_id`` is joined on.
    """
    await connection.execute(
        """
        UPDATE learnings.installation AS i
           SET identity = n.identity, installation_id = n.installation_id
          FROM (SELECT DISTINCT ON (org_id, key_id) *
                  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                       AS s (org_id, key_id, identity, installation_id)
                 WHERE key_id <> '') AS n
         WHERE i.org_id = n.org_id AND i.identity = 'key:' || n.key_id
           AND NOT EXISTS (SELECT FROM learnings.installation AS o
                            WHERE o.org_id = n.org_id AND o.identity = n.identity)
        """,
        [row.org_id for row in rows],
        [row.key_id for row in rows],
        [row.identity for row in rows],
        [row.installation_id for row in rows],
    )


_COLUMNS: Final = (
    *("org_id", "identity", "id", "installation_id", "key_id", "seen_at", "client_profile"),
    *("framework_version", "model_family", "os_platform", "python_version", "project", "pushed"),
    *("events", "outcomes", "pulled_to", "company_pulled_to"),
)
_UPSERT: Final = """
    WITH full_up AS (
        SELECT n.org_id FROM (SELECT DISTINCT unnest($2::text[])) AS n (org_id)
         WHERE (SELECT count(*) FROM (SELECT FROM learnings.installation AS o
                                       WHERE o.org_id = n.org_id LIMIT $1) AS capped) >= $1)
    INSERT INTO learnings.installation AS i
           (org_id, identity, id, installation_id, key_id, first_seen, last_seen,
            client_profile, framework_version, model_family, os_platform, python_version,
            project, pushed, events, outcomes, pulled_to, company_pulled_to)
    SELECT s.org_id, s.identity, s.id, s.installation_id, s.key_id, s.seen_at, s.seen_at,
           s.client_profile, s.framework_version, s.model_family, s.os_platform,
           s.python_version, s.project, s.pushed, s.events, s.outcomes, s.pulled_to,
           s.company_pulled_to
      FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                  $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
                  $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[])
           AS s (org_id, identity, id, installation_id, key_id, seen_at, client_profile,
                 framework_version, model_family, os_platform, python_version, project, pushed,
                 events, outcomes, pulled_to, company_pulled_to)
     WHERE EXISTS (SELECT FROM learnings.installation AS o
                    WHERE o.org_id = s.org_id AND o.identity = s.identity)
        OR ((s.installation_id IS NOT NULL
             OR NOT EXISTS (SELECT FROM learnings.installation AS o
                             WHERE o.org_id = s.org_id AND o.key_id = s.key_id
                               AND o.key_id <> ''))
            AND s.org_id NOT IN (SELECT org_id FROM full_up))
     ORDER BY s.org_id, s.identity
    ON CONFLICT (org_id, identity) DO UPDATE
       SET last_seen = greatest(i.last_seen, EXCLUDED.last_seen),
           key_id = coalesce(nullif(EXCLUDED.key_id, ''), i.key_id),
           client_profile = coalesce(nullif(EXCLUDED.client_profile, ''), i.client_profile),
           framework_version =
               coalesce(nullif(EXCLUDED.framework_version, ''), i.framework_version),
           model_family = coalesce(nullif(EXCLUDED.model_family, ''), i.model_family),
           os_platform = coalesce(nullif(EXCLUDED.os_platform, ''), i.os_platform),
           python_version = coalesce(nullif(EXCLUDED.python_version, ''), i.python_version),
           project = CASE WHEN i.is_labelled OR i.project <> '' THEN i.project
                          ELSE EXCLUDED.project END,
           pushed = i.pushed + EXCLUDED.pushed, events = i.events + EXCLUDED.events,
           outcomes = i.outcomes + EXCLUDED.outcomes,
           pulled_to = coalesce(EXCLUDED.pulled_to, i.pulled_to),
           company_pulled_to = coalesce(EXCLUDED.company_pulled_to, i.company_pulled_to)
    RETURNING i.org_id, i.id, i.project, i.xmax = 0 AS is_new
"""


async def upsert(connection: Connection, rows: Sequence[Seen]) -> list[NewInstallation]:
    """Write what was seen, and give those that are new. Each row names its tenant by ``org_id``.

    A key that an installation is known to use gets no row of its own, and an organization no more
    than ``MOST`` and one batch.
    """
    columns = ([getattr(row, name) for row in rows] for name in _COLUMNS)
    made = await connection.fetch(_UPSERT, MOST, *columns)
    return [NewInstallation(row[0], row[1], row[2]) for row in made if row["is_new"]]


_SHOWN: Final = """
    SELECT i.id, i.project, i.installation_id, i.client_profile, i.framework_version,
           i.model_family, i.os_platform, i.python_version, i.pushed, i.events, i.outcomes,
           i.pulled_to, i.company_pulled_to, i.first_seen, i.last_seen,
           CASE WHEN i.pulled_to IS NOT NULL
                THEN greatest(coalesce(o.sequence, 0) - i.pulled_to, 0) END AS lag
"""
_FROM: Final = """
      FROM learnings.installation AS i
      LEFT JOIN learnings.organization AS o ON o.org_id = i.org_id
"""


async def list_own(
    connection: Connection, org_id: str, since: datetime | None, limit: int, offset: int
) -> list[Installation]:
    """Give a page of an organization's installations, last seen first."""
    rows = await connection.fetch(
        f"""{_SHOWN} {_FROM}
        WHERE i.org_id = $1 AND i.last_seen >= coalesce($2, '-infinity'::timestamptz)
        ORDER BY i.last_seen DESC, i.id DESC LIMIT $3 OFFSET $4
        """,
        org_id,
        since,
        limit,
        offset,
    )
    return [Installation(**row) for row in rows]


async def count_own(connection: Connection, org_id: str, since: datetime | None, cap: int) -> int:
    """Count an organization's installations, up to a cap."""
    total: int = await connection.fetchval(
        """
        SELECT count(*) FROM (SELECT FROM learnings.installation
                               WHERE org_id = $1
                                 AND last_seen >= coalesce($2, '-infinity'::timestamptz)
                               LIMIT $3) AS capped
        """,
        org_id,
        since,
        cap,
    )
    return total


async def find(connection: Connection, org_id: str, installation: str) -> Installation | None:
    """Find an installation of an organization."""
    row = await connection.fetchrow(
        f"{_SHOWN} {_FROM} WHERE i.org_id = $1 AND i.id = $2", org_id, installation
    )
    return None if row is None else Installation(**row)


async def label(connection: Connection, org_id: str, installation: str, project: str) -> bool:
    """Name an installation's project for good; False when there is no such one."""
    done = await connection.fetchval(
        """
        UPDATE learnings.installation SET project = $3, is_labelled = true
         WHERE org_id = $1 AND id = $2 RETURNING true
        """,
        org_id,
        installation,
        project,
    )
    return bool(done)


async def list_all(
    connection: Connection, since: datetime | None, limit: int, offset: int
) -> list[AdminInstallation]:
    """Give a page of all installations, last seen first.

    Reads all tenants: it is what platform administrators ask for; org_id comes out.
    """
    rows = await connection.fetch(
        f"""{_SHOWN}, i.org_id, coalesce(o.name, '') AS org_name {_FROM}
        WHERE i.last_seen >= coalesce($1, '-infinity'::timestamptz)
        ORDER BY i.last_seen DESC, i.id DESC LIMIT $2 OFFSET $3
        """,
        since,
        limit,
        offset,
    )
    return [AdminInstallation(**row) for row in rows]


async def count_all(connection: Connection, since: datetime | None, cap: int) -> int:
    """Count all installations, up to a cap.

    Reads all tenants: it is what platform administrators ask for.
    """
    total: int = await connection.fetchval(
        """
        SELECT count(*) FROM (SELECT FROM learnings.installation
                               WHERE last_seen >= coalesce($1, '-infinity'::timestamptz)
                               LIMIT $2) AS capped
        """,
        since,
        cap,
    )
    return total
