"""SQL of notifications that are owed."""

from __future__ import annotations

from collections.abc import Sequence

from services.runs.deliveries.models import Outcome, Owed
from shared.db import Connection


async def add(
    connection: Connection, org_id: str, run_id: str, owed: Sequence[tuple[str, str]]
) -> None:
    """Add notifications of a run: their ids and channels. What is there already stays."""
    await connection.executemany(
        """
        INSERT INTO runs.delivery (org_id, id, run_id, channel) VALUES ($1, $2, $3, $4)
        ON CONFLICT (org_id, run_id, channel) DO NOTHING
        """,
        [(org_id, delivery_id, run_id, channel) for delivery_id, channel in owed],
    )


async def claim(
    connection: Connection, busy: Sequence[str], most: int, of_one: int, lease_s: float
) -> list[Owed]:
    """Take what is due, first due first, few of each organization.

    Args:
        connection: to the service's database.
        busy: organizations that have enough in this courier's hands.
        most: notifications.
        of_one: organization.
        lease_s: seconds after which somebody else may take them.
    """
    rows = await connection.fetch(
        """
        WITH due AS (
            SELECT org_id, id, due_at FROM runs.delivery
             WHERE done_at IS NULL AND due_at <= now() AND org_id <> ALL($1)
             ORDER BY due_at LIMIT 200),
        fair AS (
            SELECT org_id, id FROM (
                SELECT org_id, id, due_at,
                       row_number() OVER (PARTITION BY org_id ORDER BY due_at) AS place
                  FROM due) AS numbered
             WHERE place <= $3 ORDER BY due_at LIMIT $2),
        taken AS (
            SELECT d.org_id, d.id FROM runs.delivery AS d JOIN fair USING (org_id, id)
             WHERE d.done_at IS NULL AND d.due_at <= clock_timestamp()
               FOR UPDATE OF d SKIP LOCKED)
        UPDATE runs.delivery AS d
           SET due_at = clock_timestamp() + make_interval(secs => $4), attempts = d.attempts + 1
          FROM taken WHERE d.org_id = taken.org_id AND d.id = taken.id
        RETURNING d.org_id, d.id, d.run_id, d.channel, d.attempts AS attempt
        """,
        busy,
        most,
        of_one,
        lease_s,
    )
    return [Owed(**row) for row in rows]


async def settle(connection: Connection, owed: Owed, outcome: Outcome) -> bool:
    """Write down what became of an attempt; False if somebody else has taken it since."""
    status = await connection.execute(
        """
        UPDATE runs.delivery
           SET done_at = CASE WHEN $5::float8 IS NULL THEN clock_timestamp() END, reason = $4,
               due_at = clock_timestamp() + make_interval(secs => coalesce($5, 0))
         WHERE org_id = $1 AND id = $2 AND attempts = $3 AND done_at IS NULL
        """,
        owed.org_id,
        owed.id,
        owed.attempt,
        outcome.reason,
        outcome.delay_s,
    )
    return status == "UPDATE 1"


async def give_back(connection: Connection, owed: Sequence[Owed]) -> None:
    """Let others have at once what was taken and not tried to its end."""
    await connection.executemany(
        """
        UPDATE runs.delivery SET due_at = clock_timestamp(), attempts = attempts - 1
         WHERE org_id = $1 AND id = $2 AND attempts = $3 AND done_at IS NULL
        """,
        [(each.org_id, each.id, each.attempt) for each in owed],
    )


async def sweep(connection: Connection, days: int, most: int) -> int:
    """Delete what has been done for some days; give how many that were."""
    status: str = await connection.execute(
        """
        WITH old AS (
            SELECT org_id, id FROM runs.delivery
             WHERE done_at < clock_timestamp() - make_interval(days => $1) LIMIT $2)
        DELETE FROM runs.delivery AS d USING old WHERE d.org_id = old.org_id AND d.id = old.id
        """,
        days,
        most,
    )
    return int(status.rpartition(" ")[2])


async def forget(connection: Connection, org_id: str) -> None:
    """Delete all that is owed to an organization."""
    await connection.execute("DELETE FROM runs.delivery WHERE org_id = $1", org_id)
