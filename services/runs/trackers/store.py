"""SQL of filings that are owed to trackers."""

from __future__ import annotations

from collections.abc import Sequence

from services.runs.trackers.models import Link, Outcome, Owed
from shared.db import Connection


async def add(
    connection: Connection,
    org_id: str,
    run_id: str,
    providers: Sequence[str],
    cases: Sequence[tuple[int, str]],
) -> None:
    """Owe each provider the issues of a run: their numbers and cases. What is there stays."""
    await connection.executemany(
        """
        INSERT INTO runs.tracker_filing (org_id, provider, number, run_id, case_id)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        """,
        [
            (org_id, provider, number, run_id, case_id)
            for provider in providers
            for number, case_id in cases
        ],
    )


async def shelve(connection: Connection, seconds: float) -> bool:
    """Put off, of what is due first, what another of the same issue goes before.

    So what waits for its turn does not stand before what could be done, however much it is.

    Args:
        connection: to the service's database.
        seconds: for which it is put off; when its turn comes earlier, it is due at once.

    Returns:
        Whether there was any.
    """
    status = await connection.execute(
        """
        WITH due AS (
            SELECT org_id, provider, number, run_id, position FROM runs.tracker_filing
             WHERE done_at IS NULL AND due_at <= clock_timestamp() ORDER BY due_at LIMIT 1000
               FOR UPDATE SKIP LOCKED),
        blocked AS (
            SELECT org_id, provider, number, run_id FROM due AS f WHERE EXISTS (
                SELECT FROM runs.tracker_filing AS e
                 WHERE e.org_id = f.org_id AND e.provider = f.provider AND e.number = f.number
                   AND e.position < f.position AND e.done_at IS NULL))
        UPDATE runs.tracker_filing AS f
           SET due_at = clock_timestamp() + make_interval(secs => $1)
          FROM blocked AS b
         WHERE f.org_id = b.org_id AND f.provider = b.provider AND f.number = b.number
           AND f.run_id = b.run_id
        """,
        seconds,
    )
    return status != "UPDATE 0"


async def call_next(connection: Connection, owed: Owed) -> None:
    """Make the next filing of an issue due, because the one before is done."""
    await connection.execute(
        """
        UPDATE runs.tracker_filing SET due_at = clock_timestamp()
         WHERE org_id = $1 AND provider = $2 AND number = $3 AND due_at > clock_timestamp()
           AND position = (
               SELECT position FROM runs.tracker_filing
                WHERE org_id = $1 AND provider = $2 AND number = $3 AND done_at IS NULL
                ORDER BY position LIMIT 1)
        """,
        owed.org_id,
        owed.provider,
        owed.number,
    )


async def claim(
    connection: Connection, busy: Sequence[str], most: int, of_one: int, lease_s: float
) -> list[Owed]:
    """Take what is due, first due first, few of each organization, and of an issue the oldest only.

    Args:
        connection: to the service's database.
        busy: organizations that have enough in this clerk's hands.
        most: filings.
        of_one: organization.
        lease_s: seconds after which somebody else may take them.
    """
    rows = await connection.fetch(
        """
        WITH due AS (
            SELECT org_id, provider, number, run_id, position, due_at FROM runs.tracker_filing
             WHERE done_at IS NULL AND due_at <= clock_timestamp() AND org_id <> ALL($1)
             ORDER BY due_at LIMIT 200),
        heads AS (
            SELECT * FROM due AS f WHERE NOT EXISTS (
                SELECT FROM runs.tracker_filing AS e
                 WHERE e.org_id = f.org_id AND e.provider = f.provider AND e.number = f.number
                   AND e.position < f.position AND e.done_at IS NULL)),
        fair AS (
            SELECT org_id, provider, number, run_id FROM (
                SELECT *, row_number() OVER (PARTITION BY org_id ORDER BY due_at) AS place
                  FROM heads) AS numbered
             WHERE place <= $3 ORDER BY due_at LIMIT $2),
        taken AS (
            SELECT f.org_id, f.provider, f.number, f.run_id FROM runs.tracker_filing AS f
              JOIN fair USING (org_id, provider, number, run_id)
             WHERE f.done_at IS NULL AND f.due_at <= clock_timestamp()
               FOR UPDATE OF f SKIP LOCKED)
        UPDATE runs.tracker_filing AS f
           SET due_at = clock_timestamp() + make_interval(secs => $4), attempts = f.attempts + 1
          FROM taken AS t
         WHERE f.org_id = t.org_id AND f.provider = t.provider AND f.number = t.number
           AND f.run_id = t.run_id
        RETURNING f.org_id, f.provider, f.number, f.run_id, f.case_id, f.attempts AS attempt
        """,
        busy,
        most,
        of_one,
        lease_s,
    )
    return [Owed(**row) for row in rows]


async def hold(connection: Connection, owed: Owed) -> bool:
    """Lock a filing; False if somebody else has taken it since, or it is forgotten."""
    found = await connection.fetchval(
        """
        SELECT true FROM runs.tracker_filing
         WHERE org_id = $1 AND provider = $2 AND number = $3 AND run_id = $4 AND attempts = $5
           AND done_at IS NULL FOR UPDATE
        """,
        *_key(owed),
    )
    return found is True


async def settle(connection: Connection, owed: Owed, outcome: Outcome) -> None:
    """Write down what became of an attempt at a filing that is held."""
    await connection.execute(
        """
        UPDATE runs.tracker_filing
           SET done_at = CASE WHEN $7::float8 IS NULL THEN clock_timestamp() END, reason = $6,
               due_at = clock_timestamp() + make_interval(secs => coalesce($7, 0))
         WHERE org_id = $1 AND provider = $2 AND number = $3 AND run_id = $4 AND attempts = $5
        """,
        *_key(owed),
        outcome.reason,
        outcome.delay_s,
    )


async def put_off(connection: Connection, org_id: str, provider: str, delay_s: float) -> None:
    """Put off all that an organization's tracker is owed, because it does not take anything now.

    What somebody else holds at this moment is left alone.
    """
    await connection.execute(
        """
        WITH waiting AS (
            SELECT org_id, provider, number, run_id FROM runs.tracker_filing
             WHERE org_id = $1 AND provider = $2 AND done_at IS NULL
               AND due_at <= clock_timestamp() FOR UPDATE SKIP LOCKED)
        UPDATE runs.tracker_filing AS f
           SET due_at = clock_timestamp() + make_interval(secs => $3)
          FROM waiting AS w
         WHERE f.org_id = $1 AND f.provider = $2 AND f.number = w.number AND f.run_id = w.run_id
        """,
        org_id,
        provider,
        delay_s,
    )


async def give_back(connection: Connection, owed: Sequence[Owed]) -> None:
    """Let others have at once what was taken and not done.

    The attempt still counts: whoever is next looks at what the tracker has heard of it.
    """
    await connection.executemany(
        """
        UPDATE runs.tracker_filing SET due_at = clock_timestamp()
         WHERE org_id = $1 AND provider = $2 AND number = $3 AND run_id = $4 AND attempts = $5
           AND done_at IS NULL
        """,
        [_key(each) for each in owed],
    )


async def read_link(connection: Connection, owed: Owed, place: str) -> Link:
    """Give what is remembered of an issue in a place."""
    row = await connection.fetchrow(
        """
        SELECT key, extract(epoch FROM clock_timestamp() - creating_at)::float8 AS creating_s
          FROM runs.tracker_link
         WHERE org_id = $1 AND provider = $2 AND number = $3 AND place = $4
        """,
        owed.org_id,
        owed.provider,
        owed.number,
        place,
    )
    return Link() if row is None else Link(**row)


async def write_link(
    connection: Connection, owed: Owed, place: str, key: str, *, is_creating: bool
) -> None:
    """Remember an issue's key in a place, and whether it is just being created there."""
    await connection.execute(
        """
        INSERT INTO runs.tracker_link (org_id, provider, number, place, key, creating_at)
        VALUES ($1, $2, $3, $4, $5, CASE WHEN $6 THEN clock_timestamp() END)
        ON CONFLICT (org_id, provider, number, place)
        DO UPDATE SET key = excluded.key, creating_at = excluded.creating_at
        """,
        owed.org_id,
        owed.provider,
        owed.number,
        place,
        key,
        is_creating,
    )


async def sweep(connection: Connection, days: int, most: int) -> int:
    """Delete what has been done for some days; give how many that were."""
    status: str = await connection.execute(
        """
        WITH old AS (
            SELECT org_id, provider, number, run_id FROM runs.tracker_filing
             WHERE done_at < clock_timestamp() - make_interval(days => $1) LIMIT $2)
        DELETE FROM runs.tracker_filing AS f USING old
         WHERE f.org_id = old.org_id AND f.provider = old.provider AND f.number = old.number
           AND f.run_id = old.run_id
        """,
        days,
        most,
    )
    return int(status.rpartition(" ")[2])


async def forget(connection: Connection, org_id: str) -> None:
    """Delete all that is owed for an organization, and all that is remembered."""
    for table in ("tracker_filing", "tracker_link"):
        await connection.execute(
            f"DELETE FROM runs.{table} WHERE org_id = $1",  # noqa: S608 - of the constants above
            org_id,
        )


def _key(owed: Owed) -> tuple[str, str, int, str, int]:
    return owed.org_id, owed.provider, owed.number, owed.run_id, owed.attempt
