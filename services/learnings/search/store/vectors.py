"""The SQL of vectors: tables of their own, made where they are wanted and pgvector is there.

A table holds vectors of one size; the extension's schema is named in every statement, because no
search path is set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.learnings.search.models import Claim, Text
from shared.db import Connection

COMPARED: Final = 10_000
"""Newest vectors of an organization that a query is compared with, one by one."""

NEAREST: Final = 50
"""Learnings that vectors add to a search at most."""

FARTHEST: Final = 0.75
"""Cosine distance from which on two texts have nothing to do with each other."""

LEASE: Final = "interval '2 minutes'"


async def home(connection: Connection) -> str | None:
    """Give the schema of pgvector, quoted; none if it is not there for us."""
    found: str | None = await connection.fetchval(
        """
        SELECT quote_ident(n.nspname) FROM pg_extension AS e
          JOIN pg_namespace AS n ON n.oid = e.extnamespace
         WHERE e.extname = 'vector' AND has_schema_privilege(n.oid, 'USAGE')
        """
    )
    return found


async def prepare(connection: Connection, schema: str, size: int) -> None:
    """Make the tables for vectors of a size if they are missing; in a transaction."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('learnings.vector', 0))"
    )
    await connection.execute(
        f"""
        CREATE TABLE IF NOT EXISTS learnings.vector_{size} (
            org_id      text        NOT NULL,
            learning_id text        NOT NULL,
            model       text        NOT NULL,
            -- SHA-256 of the text that it was made of.
            digest      bytea       NOT NULL,
            created_at  timestamptz NOT NULL,
            embedding   {schema}.vector({size}) NOT NULL,
            PRIMARY KEY (org_id, learning_id),
            FOREIGN KEY (org_id, learning_id) REFERENCES learnings.learning ON DELETE CASCADE
        );
        CREATE INDEX IF NOT EXISTS vector_{size}_newest
            ON learnings.vector_{size} (org_id, model, created_at DESC);
        CREATE TABLE IF NOT EXISTS learnings.vector_{size}_place (
            org_id       text        NOT NULL,
            model        text        NOT NULL,
            -- Up to which of the organization's numbers its learnings have vectors.
            sequence     bigint      NOT NULL,
            leased_until timestamptz NOT NULL,
            PRIMARY KEY (org_id, model)
        );
        """
    )


async def claim(connection: Connection, size: int, model: str) -> Claim | None:
    """Lease an organization that has learnings without vectors; none if all have theirs.

    all tenants: the work is everybody's; an organization is one row.
    """
    row = await connection.fetchrow(
        f"""
        WITH due AS (
            SELECT o.org_id, o.sequence AS until FROM learnings.organization AS o
              LEFT JOIN learnings.vector_{size}_place AS p
                ON p.org_id = o.org_id AND p.model = $1
             WHERE o.sequence > coalesce(p.sequence, 0) AND o.learning_count > 0
               AND coalesce(p.leased_until, '-infinity') < now()
             ORDER BY p.leased_until NULLS FIRST LIMIT 1
        ), leased AS (
            INSERT INTO learnings.vector_{size}_place AS p (org_id, model, sequence, leased_until)
            SELECT org_id, $1, 0, now() + {LEASE} FROM due
            ON CONFLICT (org_id, model) DO UPDATE SET leased_until = excluded.leased_until
             WHERE p.leased_until < now()
            RETURNING org_id, sequence
        )
        SELECT org_id, sequence AS after, until FROM leased JOIN due USING (org_id)
        """,  # noqa: S608 - a number of the settings
        model,
    )
    return None if row is None else Claim(**row)


async def texts(
    connection: Connection, size: int, model: str, claimed: Claim, most: int
) -> list[Text]:
    """Read the next learnings of an organization, in the order of their last writing."""
    rows = await connection.fetch(
        f"""
        SELECT l.id, l.sync_seq AS sequence, t.text, sha256(convert_to(t.text, 'UTF8')) AS digest,
               l.duplicate_of IS NULL AND NOT EXISTS (
                   SELECT FROM learnings.vector_{size} AS v
                    WHERE v.org_id = $1 AND v.learning_id = l.id AND v.model = $2
                      AND v.digest = sha256(convert_to(t.text, 'UTF8'))) AS is_new
          FROM learnings.learning AS l,
               LATERAL (SELECT left(l.summary, 2000) || E'\\n' || left(l.detail, 2000) AS text) AS t
         WHERE l.org_id = $1 AND l.sync_seq > $3 ORDER BY l.sync_seq LIMIT $4
        """,  # noqa: S608 - a number of the settings
        claimed.org_id,
        model,
        claimed.after,
        most,
    )
    return [Text(**row) for row in rows]


async def keep(
    connection: Connection,
    schema: str,
    size: int,
    model: str,
    org_id: str,
    made: Sequence[tuple[Text, Sequence[float]]],
) -> None:
    """Keep vectors of learnings that are still there."""
    await connection.execute(
        f"""
        INSERT INTO learnings.vector_{size} AS v
               (org_id, learning_id, model, digest, created_at, embedding)
        SELECT $1, l.id, $2, m.digest, l.created_at, m.embedding::{schema}.vector
          FROM unnest($3::text[], $4::bytea[], $5::text[]) AS m (id, digest, embedding)
          JOIN learnings.learning AS l ON l.org_id = $1 AND l.id = m.id
        ON CONFLICT (org_id, learning_id) DO UPDATE
           SET model = excluded.model, digest = excluded.digest, embedding = excluded.embedding
        """,  # noqa: S608 - a number of the settings, a schema of the catalogue
        org_id,
        model,
        [text.id for text, _ in made],
        [text.digest for text, _ in made],
        [_written(vector) for _, vector in made],
    )


async def release(
    connection: Connection, size: int, model: str, org_id: str, sequence: int
) -> None:
    """Give a lease back, the work done up to ``sequence``."""
    await connection.execute(
        f"""
        UPDATE learnings.vector_{size}_place SET sequence = $3, leased_until = '-infinity'
         WHERE org_id = $1 AND model = $2
        """,  # noqa: S608 - a number of the settings
        org_id,
        model,
        sequence,
    )


async def forget_empty(connection: Connection, size: int) -> None:
    """Forget how far the work was in organizations that have no learnings any more.

    all tenants: one row each.
    """
    await connection.execute(
        f"""
        DELETE FROM learnings.vector_{size}_place AS p USING learnings.organization AS o
         WHERE o.org_id = p.org_id AND o.learning_count = 0
        """  # noqa: S608 - a number of the settings
    )


async def nearest(
    connection: Connection, schema: str, size: int, model: str, org_id: str, to: Sequence[float]
) -> list[str]:
    """Give the learnings that are most alike, the nearest first."""
    rows = await connection.fetch(
        f"""
        SELECT learning_id FROM (
            SELECT learning_id,
                   embedding OPERATOR({schema}.<=>) (SELECT $3::text::{schema}.vector) AS distance
              FROM (SELECT v.learning_id, v.embedding FROM learnings.vector_{size} AS v
                     WHERE v.org_id = $1 AND v.model = $2
                     ORDER BY v.created_at DESC LIMIT {COMPARED}) AS newest) AS compared
         WHERE distance < {FARTHEST} ORDER BY distance, learning_id LIMIT {NEAREST}
        """,  # noqa: S608 - a number of the settings, a schema of the catalogue
        org_id,
        model,
        _written(to),
    )
    return [row["learning_id"] for row in rows]


def _written(vector: Sequence[float]) -> str:
    return "[" + ",".join(map(str, vector)) + "]"
