"""SQL: changing a run's state, and whatever only who holds a run may write.

Each statement that a worker causes shows worker and fence, and does nothing once the lease has
ended: by the database's clock, the only one that all agree on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic_core import to_json

from services.runs.runs.models import Held, NewRun, Order, Renewed, RunRow, Status
from services.runs.runs.store.reading import COLUMNS, row_of
from shared.db import Connection

WINDOW: Final = 8
"""Runs of an organization that are looked at beyond those wanted, because others may lock some."""

ORGANIZATIONS: Final = 1000

# From one organization to the next by the index, however many runs wait in each.
CLAIM: Final = f"""
    WITH RECURSIVE orgs AS (
        (SELECT org_id FROM runs.run WHERE status = 'queued' ORDER BY org_id LIMIT 1)
        UNION ALL
        SELECT (SELECT r.org_id FROM runs.run AS r
                 WHERE r.status = 'queued' AND r.org_id > orgs.org_id ORDER BY r.org_id LIMIT 1)
          FROM orgs WHERE orgs.org_id IS NOT NULL
    ), tenants AS MATERIALIZED (
        SELECT org_id FROM orgs WHERE org_id IS NOT NULL LIMIT {ORGANIZATIONS}
    ), heads AS MATERIALIZED (
        SELECT one.org_id, one.id, one.position,
               (SELECT count(*) FROM runs.run AS b
                 WHERE b.org_id = tenants.org_id AND b.status = 'running')
               + row_number() OVER (PARTITION BY tenants.org_id ORDER BY one.position) AS place
          FROM tenants CROSS JOIN LATERAL (
               SELECT q.org_id, q.id, q.position FROM runs.run AS q
                WHERE q.org_id = tenants.org_id AND q.status = 'queued'
                  AND (NOT q.in_turn OR q.position = (
                       SELECT b.position FROM runs.run AS b
                        WHERE b.org_id = q.org_id AND b.plan_id = q.plan_id
                          AND b.status IN ('queued', 'running') AND b.in_turn
                        ORDER BY b.position LIMIT 1))
                ORDER BY q.position LIMIT $2::integer + {WINDOW}) AS one
    ), turn AS MATERIALIZED (
        SELECT r.org_id, r.id, heads.place, heads.position
          FROM heads JOIN runs.run AS r ON r.org_id = heads.org_id AND r.id = heads.id
         WHERE r.status = 'queued'
         ORDER BY heads.place, heads.position LIMIT $2 FOR UPDATE OF r SKIP LOCKED
    ), claimed AS (
        UPDATE runs.run AS r
           SET status = 'running', worker = $1, fence = r.fence + 1,
               started_at = clock_timestamp(), cancel_requested_at = NULL,
               lease_until = clock_timestamp() + make_interval(secs => $3)
          FROM turn WHERE r.org_id = turn.org_id AND r.id = turn.id AND r.status = 'queued'
        RETURNING r.*, turn.place AS claim_place
    )
    SELECT {COLUMNS}, r.variables, r.login,
           (SELECT v.text FROM runs.suite_version AS v
             WHERE v.org_id = r.org_id AND v.file = r.file AND v.n = r.version) AS text
      FROM claimed AS r ORDER BY r.claim_place, r.position
    """  # noqa: S608 - constants

RENEW: Final = """
    WITH held AS MATERIALIZED (
        SELECT * FROM unnest($2::text[], $3::text[], $4::bigint[]) AS h (org_id, id, fence)
    ), mine AS MATERIALIZED (
        SELECT r.org_id, r.id FROM held AS h
          JOIN runs.run AS r ON r.org_id = h.org_id AND r.id = h.id
         WHERE r.status = 'running' AND r.worker = $1 AND r.fence = h.fence
           AND r.lease_until > clock_timestamp()
           FOR UPDATE OF r
    ), renewed AS (
        UPDATE runs.run AS r SET lease_until = clock_timestamp() + make_interval(secs => $5)
          FROM mine WHERE r.org_id = mine.org_id AND r.id = mine.id
        RETURNING r.org_id, r.id, r.cancel_requested_at IS NOT NULL AS is_cancelling
    )
    SELECT h.org_id, h.id, h.fence, renewed.id IS NOT NULL AS is_kept,
           coalesce(renewed.is_cancelling, false) AS is_cancelling
      FROM held AS h LEFT JOIN renewed ON renewed.org_id = h.org_id AND renewed.id = h.id
    """

APPEND: Final = """
    WITH held AS (
        UPDATE runs.run SET seq = seq + cardinality($6::text[])
         WHERE org_id = $1 AND id = $2 AND status = 'running' AND worker = $3 AND fence = $4
           AND lease_until > clock_timestamp() AND seq = $5
        RETURNING seq
    ), added AS (
        INSERT INTO runs.run_event (org_id, run_id, seq, kind, body)
        SELECT $1, $2, $5 + e.n, e.kind, '{"seq":' || ($5 + e.n) || ',' || e.body
          FROM held, unnest($6::text[], $7::text[]) WITH ORDINALITY AS e (kind, body, n)
    ), reported AS (
        INSERT INTO runs.run_report (org_id, run_id, report)
        SELECT $1, $2, $8::text FROM held WHERE $8::text IS NOT NULL
        ON CONFLICT (org_id, run_id) DO UPDATE
           SET report = excluded.report, updated_at = clock_timestamp()
    )
    SELECT seq FROM held
    """


async def insert(connection: Connection, org_id: str, runs: Sequence[NewRun]) -> None:
    """Put runs into the queue, in their order."""
    await connection.executemany(
        """
        INSERT INTO runs.run (org_id, id, file, suite_id, suite_name, version, cases, tags, headed,
                              sharded, file_issues, variables, trigger, rerun_of, git_sha, ci_url,
                              created_by, plan_id, in_turn, login)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                $19, $20)
        """,
        [
            (
                org_id,
                run.id,
                run.file,
                run.suite_id,
                run.suite_name,
                run.version,
                run.cases,
                run.tags,
                run.headed,
                run.is_sharded,
                run.file_issues,
                run.variables,
                run.trigger,
                run.rerun_of,
                run.git_sha,
                run.ci_url,
                run.created_by,
                run.plan_id,
                run.in_turn,
                run.login,
            )
            for run in runs
        ],
    )


async def claim(connection: Connection, worker: str, most: int, lease_s: float) -> list[Order]:
    """Take runs that wait: of organizations with fewer under way first, then first in, first out.

    all tenants: workers execute everybody's runs.

    Args:
        connection: in a transaction.
        worker: who takes them.
        most: runs to take.
        lease_s: seconds after which they count as interrupted.
    """
    rows = await connection.fetch(CLAIM, worker, most, lease_s)
    orders = []
    for row in rows:
        held = Held(row["org_id"], row["id"], worker, row["fence"])
        orders.append(Order(held, row_of(row), row["text"], row["variables"], row["login"]))
    return orders


async def renew(
    connection: Connection, worker: str, held: Sequence[Held], lease_s: float
) -> list[Renewed]:
    """Hold on to runs for longer; each is named by its org_id."""
    rows = await connection.fetch(
        RENEW,
        worker,
        [each.org_id for each in held],
        [each.run_id for each in held],
        [each.fence for each in held],
        lease_s,
    )
    return [
        Renewed(
            Held(row["org_id"], row["id"], worker, row["fence"]),
            row["is_kept"],
            row["is_cancelling"],
        )
        for row in rows
    ]


async def append(
    connection: Connection,
    held: Held,
    after: int,
    kinds: Sequence[str],
    texts: Sequence[str],
    report: str | None,
) -> bool:
    """Add events behind a number, and store the report as far as it goes, under the lease.

    Args:
        connection: in a transaction.
        held: the claim, with its org_id.
        after: the number of the newest event, as its holder knows it.
        kinds: of the events.
        texts: JSON of the events, without the brace and ``seq`` in front.
        report: JSON; None leaves the one that there is.
    """
    seq = await connection.fetchval(
        APPEND,
        held.org_id,
        held.run_id,
        held.worker,
        held.fence,
        after,
        list(kinds),
        list(texts),
        report,
    )
    return seq is not None


async def lock_held(connection: Connection, held: Held) -> RunRow | None:
    """Lock a run whose claim still is the newest, whether its lease has ended or not."""
    row = await connection.fetchrow(
        f"""
        SELECT {COLUMNS} FROM runs.run AS r
         WHERE org_id = $1 AND id = $2 AND worker = $3 AND fence = $4 FOR UPDATE
        """,  # noqa: S608 - constants
        held.org_id,
        held.run_id,
        held.worker,
        held.fence,
    )
    return None if row is None else row_of(row)


async def is_leased(connection: Connection, held: Held) -> bool:
    """Tell whether a locked run's lease still holds."""
    found: bool | None = await connection.fetchval(
        """
        SELECT lease_until > clock_timestamp() FROM runs.run
         WHERE org_id = $1 AND id = $2 AND worker = $3 AND fence = $4 AND status = 'running'
        """,
        held.org_id,
        held.run_id,
        held.worker,
        held.fence,
    )
    return found is True


async def lock(connection: Connection, org_id: str, run_id: str) -> RunRow | None:
    """Lock a run."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM runs.run AS r WHERE org_id = $1 AND id = $2 FOR UPDATE",  # noqa: S608 - constants
        org_id,
        run_id,
    )
    return None if row is None else row_of(row)


async def lock_lost(connection: Connection) -> RunRow | None:
    """Lock the run whose lease ended longest ago, one that nobody else looks at.

    all tenants: workers look after everybody's runs.
    """
    row = await connection.fetchrow(
        f"""
        SELECT {COLUMNS} FROM runs.run AS r
         WHERE status = 'running' AND lease_until <= clock_timestamp()
         ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED
        """  # noqa: S608 - constants
    )
    return None if row is None else row_of(row)


async def end(
    connection: Connection,
    run: RunRow,
    to: Status,
    summary: Mapping[str, Any],
    events: Sequence[tuple[str, str]],
) -> RunRow | None:
    """Move a locked run to its end, with its last events; None if it is not where it was.

    Args:
        connection: in a transaction.
        run: as it was locked.
        to: a final state.
        summary: of its cases.
        events: kind and text of each, as ``append`` takes them; ``done`` is the last.
    """
    row = await connection.fetchrow(
        f"""
        WITH ended AS (
            UPDATE runs.run AS r
               SET status = $4, summary = $5::text::json, finished_at = clock_timestamp(),
                   lease_until = NULL, seq = r.seq + cardinality($6::text[])
             WHERE org_id = $1 AND id = $2 AND status = $3 AND fence = $8
            RETURNING r.*
        ), added AS (
            INSERT INTO runs.run_event (org_id, run_id, seq, kind, body)
            SELECT $1, $2, ended.seq - cardinality($6::text[]) + e.n, e.kind,
                   '{{"seq":' || (ended.seq - cardinality($6::text[]) + e.n) || ',' || e.body
              FROM ended, unnest($6::text[], $7::text[]) WITH ORDINALITY AS e (kind, body, n)
        )
        SELECT {COLUMNS} FROM ended AS r
        """,  # noqa: S608 - constants
        run.org_id,
        run.id,
        run.status,
        to,
        to_json(summary).decode(),
        [kind for kind, _ in events],
        [text for _, text in events],
        run.fence,
    )
    return None if row is None else row_of(row)


async def requeue(
    connection: Connection, run: RunRow, events: Sequence[tuple[str, str]]
) -> RunRow | None:
    """Move a locked run back into the queue, to its old place; None if it is not where it was."""
    row = await connection.fetchrow(
        f"""
        WITH moved AS (
            UPDATE runs.run AS r
               SET status = 'queued', attempt = attempt + 1, lease_until = NULL, worker = NULL,
                   started_at = NULL, seq = r.seq + cardinality($4::text[])
             WHERE org_id = $1 AND id = $2 AND status = $3 AND fence = $6
            RETURNING r.*
        ), added AS (
            INSERT INTO runs.run_event (org_id, run_id, seq, kind, body)
            SELECT $1, $2, moved.seq - cardinality($4::text[]) + e.n, e.kind,
                   '{{"seq":' || (moved.seq - cardinality($4::text[]) + e.n) || ',' || e.body
              FROM moved, unnest($4::text[], $5::text[]) WITH ORDINALITY AS e (kind, body, n)
        )
        SELECT {COLUMNS} FROM moved AS r
        """,  # noqa: S608 - constants
        run.org_id,
        run.id,
        run.status,
        [kind for kind, _ in events],
        [text for _, text in events],
        run.fence,
    )
    return None if row is None else row_of(row)


async def wish_end(connection: Connection, org_id: str, run_id: str) -> None:
    """Note that somebody wants a running run to end; its worker sees it soon."""
    await connection.execute(
        """
        UPDATE runs.run SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
         WHERE org_id = $1 AND id = $2 AND status = 'running'
        """,
        org_id,
        run_id,
    )


async def store_report(connection: Connection, org_id: str, run_id: str, report: str) -> None:
    """Store the report of a locked run."""
    await connection.execute(
        """
        INSERT INTO runs.run_report (org_id, run_id, report) VALUES ($1, $2, $3)
        ON CONFLICT (org_id, run_id) DO UPDATE
           SET report = excluded.report, updated_at = clock_timestamp()
        """,
        org_id,
        run_id,
        report,
    )


async def delete(connection: Connection, org_id: str, run_id: str) -> None:
    """Delete a locked run, with its events and its report."""
    await connection.execute("DELETE FROM runs.run WHERE org_id = $1 AND id = $2", org_id, run_id)
