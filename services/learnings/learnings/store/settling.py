"""The SQL of a transaction that records or changes many learnings of one organization.

Every statement runs once, however many learnings there are, under the lock of the organization's
row, which all its writers take first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic_core import to_json

from services.learnings.learnings.models import Counters, Prepared, Row
from services.learnings.learnings.store.listing import LANDMARK_SPACING
from services.learnings.learnings.store.rows import COLUMNS, row_of
from shared.db import Connection

CANDIDATES: Final = 10
"""Learnings that are compared with one, because they share a near-duplicate key."""


async def lock(connection: Connection, org_id: str) -> Counters:
    """Lock an organization's row until the transaction ends, and read its counters."""
    lock_it = """
        SELECT learning_count, sequence,
               greatest(clock_timestamp(), newest_at + interval '1 us') AS next_at
          FROM learnings.organization WHERE org_id = $1 FOR UPDATE
        """
    row = await connection.fetchrow(lock_it, org_id)
    if row is None:
        await connection.execute(
            "INSERT INTO learnings.organization (org_id) VALUES ($1) ON CONFLICT DO NOTHING", org_id
        )
        row = await connection.fetchrow(lock_it, org_id)
    assert row is not None  # organizations' rows are never deleted
    return Counters(row["learning_count"], row["sequence"], row["next_at"])


async def by_id(connection: Connection, org_id: str, learning_id: str) -> Row | None:
    """Read one learning."""
    record = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM learnings.learning AS l WHERE l.org_id = $1 AND l.id = $2",  # noqa: S608 - constants of this module
        org_id,
        learning_id,
    )
    return None if record is None else row_of(record)


async def known(
    connection: Connection, org_id: str, subject: str, keys: Sequence[tuple[str, str]]
) -> list[Row]:
    """Read what is known under the writers' own ids, given as (origin, id).

    Beside the natural key's, a learning of the same id that the same credential wrote the other
    way: under its own name by POST, or under an installation's by push; two of them at most.
    """
    records = await connection.fetch(
        f"""
        SELECT {COLUMNS} FROM unnest($3::text[], $4::text[]) AS k (origin, source_id)
         CROSS JOIN LATERAL (
            SELECT * FROM learnings.learning AS n
             WHERE n.org_id = $1 AND n.origin = k.origin AND n.source_learning_id = k.source_id
            UNION ALL
            (SELECT * FROM learnings.learning AS n
              WHERE n.org_id = $1 AND n.source_learning_id = k.source_id AND n.recorded_by = $2
                AND n.origin <> k.origin
                AND CASE WHEN k.origin = $2 THEN n.came_by = 'push' ELSE n.origin = $2 END
              LIMIT 2)) AS l
        """,  # noqa: S608 - constants of this module
        org_id,
        subject,
        [origin for origin, _ in keys],
        [source_id for _, source_id in keys],
    )
    return list({record["id"]: row_of(record) for record in records}.values())


async def same_texts(
    connection: Connection, org_id: str, hashes: Sequence[bytes], known_ids: Sequence[str]
) -> list[Row]:
    """Read of each text what stands for it, and its oldest live duplicate that is not known."""
    records = await connection.fetch(
        f"""
        SELECT {COLUMNS} FROM unnest($2::bytea[]) AS t (text_hash)
         CROSS JOIN LATERAL (
            SELECT * FROM learnings.learning AS n
             WHERE n.org_id = $1 AND n.text_hash = t.text_hash AND n.duplicate_of IS NULL
               AND n.status IN ('active', 'resolved')
            UNION ALL
            (SELECT * FROM learnings.learning AS n
              WHERE n.org_id = $1 AND n.text_hash = t.text_hash AND n.duplicate_of IS NOT NULL
                AND n.status IN ('active', 'resolved') AND n.id <> ALL ($3)
              ORDER BY n.created_at, n.id LIMIT 1)) AS l
        """,  # noqa: S608 - constants of this module
        org_id,
        hashes,
        known_ids,
    )
    return [row_of(record) for record in records if record["id"] not in known_ids]


async def taken_feed_ids(connection: Connection, org_id: str, wanted: Sequence[str]) -> set[str]:
    """Tell which of the feed ids are taken."""
    records = await connection.fetch(
        """
        SELECT feed_id FROM learnings.learning WHERE org_id = $1 AND feed_id = ANY ($2::text[])
        """,
        org_id,
        wanted,
    )
    return {record["feed_id"] for record in records}


async def alike(
    connection: Connection, org_id: str, news: Sequence[Prepared]
) -> dict[int, list[Row]]:
    """Read for each, by its place, learnings that may say nearly the same.

    The keys are looked up before the tenant is compared: salted as they are, hardly any other
    tenant's are met.
    """
    records = await connection.fetch(
        f"""
        SELECT n.place::int AS place, {COLUMNS}
          FROM json_to_recordset($2::json) AS n (place int, bands int[])
         CROSS JOIN LATERAL (
            SELECT * FROM (SELECT * FROM learnings.learning AS c
                            WHERE c.bands && n.bands OFFSET 0) AS c
             WHERE c.org_id = $1 AND c.duplicate_of IS NULL AND c.status IN ('active', 'resolved')
             LIMIT {CANDIDATES}) AS l
        """,  # noqa: S608 - constants of this module
        org_id,
        to_json([{"place": at, "bands": new.bands} for at, new in enumerate(news)]).decode(),
    )
    found: dict[int, list[Row]] = {}
    for record in records:
        found.setdefault(record["place"], []).append(row_of(record))
    return found


async def vacate(connection: Connection, org_id: str, ids: Sequence[str]) -> None:
    """Take rows out of the index of texts, until they are written anew."""
    await connection.execute(
        "UPDATE learnings.learning SET text_hash = NULL WHERE org_id = $1 AND id = ANY ($2)",
        org_id,
        ids,
    )


async def move(connection: Connection, org_id: str, moves: Mapping[str, str]) -> None:
    """Make the duplicates of some learnings duplicates of others."""
    await connection.execute(
        """
        UPDATE learnings.learning AS l SET duplicate_of = m.target
          FROM unnest($2::text[], $3::text[]) AS m (source, target)
         WHERE l.org_id = $1 AND l.duplicate_of = m.source AND l.id <> m.target
        """,
        org_id,
        list(moves),
        list(moves.values()),
    )


_TYPES: Final = {
    "id": "text",
    "origin": "text",
    "source_learning_id": "text",
    "feed_id": "text",
    "recorded_by": "text",
    "account_id": "text",
    "came_by": "text",
    "client_seq": "bigint",
    "tier": "text",
    "text_hash": "text",
    "grams": "int[]",
    "bands": "int[]",
    "duplicate_of": "text",
    "similar_to": "text",
    "served": "boolean",
    "version": "bigint",
    "server_clock": "bigint",
    "sync_seq": "bigint",
    "created_at": "timestamptz",
    "summary": "text",
    "detail": "text",
    "tags": "text[]",
    "impact": "double precision",
    "status": "text",
    "type": "text",
    "source_project": "text",
    "origin_project": "text",
    "client_id": "text",
    "vector_clock": "jsonb",
    "metadata": "jsonb",
    "sync_hash": "text",
    "extra": "jsonb",
}
_FIXED: Final = {"id", "source_learning_id", "feed_id", "recorded_by", "account_id", "created_at"}
_TEXTS: Final = {"summary", "detail", "tags", "grams", "bands"}
"""What only a change of texts changes: to leave them out spares making the words anew."""

_RECORD: Final = ", ".join(f"{name} {kind}" for name, kind in _TYPES.items())


def _read(name: str) -> str:
    return "decode(r.text_hash, 'hex')" if name == "text_hash" else f"r.{name}"


_INSERT: Final = f"""
    INSERT INTO learnings.learning (org_id, updated_at, {", ".join(_TYPES)})
    SELECT $1, r.created_at, {", ".join(map(_read, _TYPES))}
      FROM json_to_recordset($2::json) AS r ({_RECORD})
    """  # noqa: S608 - constants of this module


def _update(names: Sequence[str]) -> str:
    assignments = ", ".join(f"{name} = {_read(name)}" for name in names)
    return f"""
        UPDATE learnings.learning AS l SET {assignments}, updated_at = clock_timestamp()
          FROM json_to_recordset($2::json) AS r ({_RECORD})
         WHERE l.org_id = $1 AND l.id = r.id
        """  # noqa: S608 - constants of this module


_UPDATE: Final = _update([name for name in _TYPES if name not in _FIXED])
_UPDATE_BUT_TEXTS: Final = _update([n for n in _TYPES if n not in _FIXED and n not in _TEXTS])


async def insert_all(connection: Connection, org_id: str, rows: Sequence[Row]) -> None:
    """Write new learnings."""
    await connection.execute(_INSERT, org_id, _values(rows))


async def update_all(
    connection: Connection, org_id: str, rows: Sequence[Row], *, with_texts: bool
) -> None:
    """Write what became of learnings that are there."""
    sql = _UPDATE if with_texts else _UPDATE_BUT_TEXTS
    await connection.execute(sql, org_id, _values(rows))


def _values(rows: Sequence[Row]) -> str:
    values: list[dict[str, Any]] = []
    for row in rows:
        own = {name: getattr(row, name) for name in _TYPES if hasattr(row, name)}
        own |= {name: getattr(row.content, name) for name in _TYPES if name not in own}
        own["text_hash"] = row.text_hash.hex() if row.text_hash is not None else None
        values.append(own)
    return to_json(values, inf_nan_mode="null").decode()


async def shift_landmarks(
    connection: Connection, org_id: str, shifts: Sequence[tuple[Row, int]]
) -> None:
    """Correct the places of landmarks: they count the listed learnings up to their own."""
    await connection.execute(
        """
        UPDATE learnings.landmark AS m
           SET place = m.place + (
               SELECT coalesce(sum(s.by), 0)
                 FROM unnest($2::timestamptz[], $3::text[], $4::int[]) AS s (created_at, id, by)
                WHERE (s.created_at, s.id) <= (m.created_at, m.id))
         WHERE m.org_id = $1 AND m.created_at >= $5
        """,
        org_id,
        [row.created_at for row, _ in shifts],
        [row.id for row, _ in shifts],
        [by for _, by in shifts],
        min(row.created_at for row, _ in shifts),
    )


async def count(
    connection: Connection,
    org_id: str,
    counters: Counters,
    listed: Sequence[Row],
    already: int,
) -> None:
    """Write the counters, and landmarks for those of the newly listed that fall on one.

    Args:
        connection: of the transaction that holds the organization's row.
        org_id: the tenant.
        counters: as they are to be; ``next_at`` is the newest learning's time.
        listed: the new learnings in the list, oldest first.
        already: learnings in the list before them.
    """
    marks = [
        (place, row)
        for place, row in enumerate(listed, already + 1)
        if place % LANDMARK_SPACING == 0
    ]
    await connection.execute(
        """
        WITH marked AS (
            INSERT INTO learnings.landmark (org_id, place, created_at, id)
            SELECT $1, * FROM unnest($5::bigint[], $6::timestamptz[], $7::text[])
        )
        UPDATE learnings.organization
           SET learning_count = $2, sequence = $3, newest_at = greatest(newest_at, $4)
         WHERE org_id = $1
        """,
        org_id,
        counters.learning_count,
        counters.sequence,
        counters.next_at,
        [place for place, _ in marks],
        [row.created_at for _, row in marks],
        [row.id for _, row in marks],
    )


async def room(connection: Connection, org_id: str, key_id: str, quota: int) -> int | None:
    """Tell how many learnings a key may still record; None for any number.

    ``quota`` holds for keys that have none of their own, 0 for none.
    """
    left: int | None = await connection.fetchval(
        """
        SELECT coalesce((SELECT quota FROM learnings.key_policy
                          WHERE org_id = $1 AND key_id = $2), nullif($3::bigint, 0))
               - coalesce((SELECT recorded FROM learnings.key_usage
                            WHERE org_id = $1 AND key_id = $2), 0)
        """,
        org_id,
        key_id,
        quota,
    )
    return left


async def count_use(connection: Connection, org_id: str, key_id: str, recorded: int) -> None:
    """Count what a key has recorded."""
    await connection.execute(
        """
        INSERT INTO learnings.key_usage AS u (org_id, key_id, recorded) VALUES ($1, $2, $3)
        ON CONFLICT (org_id, key_id) DO UPDATE SET recorded = u.recorded + excluded.recorded
        """,
        org_id,
        key_id,
        recorded,
    )
