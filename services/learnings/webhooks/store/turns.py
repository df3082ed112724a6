"""The SQL of delivering: whose turn it is, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from services.learnings.webhooks.models import Due, Health, Outcome, Sealed, Turn
from shared.db import Connection, Record

WINDOW: Final = 500
"""Webhooks looked at to find whose turn it is: more than all that may be passed over."""

# Whoever waits longest comes first, but no organization's second webhook before another's first.
# IS TRUE keeps the planner from reading all that are due a second time.
CLAIM: Final = f"""
    WITH due AS MATERIALIZED (
        SELECT org_id, id, next_at FROM learnings.webhook
         WHERE next_at <= now() ORDER BY next_at LIMIT {WINDOW}
    ), placed AS MATERIALIZED (
        SELECT due.*, coalesce(busy.webhooks, 0)
                      + row_number() OVER (PARTITION BY org_id ORDER BY next_at) AS place
          FROM due LEFT JOIN unnest($1::text[], $2::bigint[]) AS busy (org_id, webhooks)
         USING (org_id)
    ), turn AS MATERIALIZED (
        SELECT w.org_id, w.id FROM placed AS p
          JOIN learnings.webhook AS w ON w.org_id = p.org_id AND w.id = p.id
         WHERE p.place <= $3 AND (w.next_at <= now()) IS TRUE
         ORDER BY p.place, p.next_at LIMIT $4 FOR NO KEY UPDATE OF w SKIP LOCKED
    ), held AS (
        UPDATE learnings.webhook AS w
           SET held_until = now() + make_interval(secs => $5),
               next_at = now() + make_interval(secs => $5)
          FROM turn WHERE w.org_id = turn.org_id AND w.id = turn.id
        RETURNING w.org_id, w.id, w.url, w.secret, w.held_until,
                  CASE WHEN w.old_secret_ends_at > now() THEN w.old_secret END AS old_secret
    ), picked AS MATERIALIZED (
        SELECT turn.org_id, one.id FROM turn CROSS JOIN LATERAL (
            SELECT d.id FROM learnings.webhook_delivery AS d
             WHERE d.org_id = turn.org_id AND d.webhook_id = turn.id
               AND d.status = 'pending' AND d.due_at <= now()
             ORDER BY d.due_at LIMIT $6) AS one
    ), taken AS (
        UPDATE learnings.webhook_delivery AS d
           SET attempts = attempts + 1, attempted_at = now(), duration_ms = NULL
          FROM picked
         WHERE d.org_id = picked.org_id AND d.id = picked.id AND d.status = 'pending'
        RETURNING d.org_id, d.id, d.webhook_id, d.message_id, d.attempts, d.earlier
    )
    SELECT held.*, taken.id AS delivery_id, taken.message_id, taken.attempts, taken.earlier, m.body
      FROM held
      LEFT JOIN taken ON taken.org_id = held.org_id AND taken.webhook_id = held.id
      LEFT JOIN learnings.webhook_message AS m
             ON m.org_id = taken.org_id AND m.id = taken.message_id
     ORDER BY held.org_id, held.id
    """  # noqa: S608 - a constant of this module


async def claim(
    connection: Connection,
    busy: Mapping[str, int],
    *,
    most: int,
    most_of_one: int,
    deliveries: int,
    lease_s: float,
) -> list[Turn]:
    """Take webhooks whose turn it is, with what is to be delivered to each.

    Reads all tenants: delivering is done for all of them, fairly.

    Args:
        connection: needs no transaction.
        busy: how many webhooks of an organization the caller has in hand.
        most: webhooks to take.
        most_of_one: webhooks of one organization in the caller's hands.
        deliveries: to take of each webhook.
        lease_s: seconds after which others may take a webhook whose taker did not let go of it.
    """
    rows = await connection.fetch(
        CLAIM, list(busy), list(busy.values()), most_of_one, most, lease_s, deliveries
    )
    groups = groupby(rows, key=lambda row: (row["org_id"], row["id"]))
    return [_turn(list(group)) for _, group in groups]


def _turn(rows: Sequence[Record]) -> Turn:
    first = rows[0]
    return Turn(
        org_id=first["org_id"],
        webhook_id=first["id"],
        url=first["url"],
        sealed=Sealed(first["secret"], first["old_secret"]),
        held_until=first["held_until"],
        due=[
            Due(
                row["delivery_id"],
                row["message_id"],
                row["body"],
                row["attempts"],
                row["attempts"] - row["earlier"],
            )
            for row in rows
            if row["body"] is not None
        ],
    )


async def write_outcomes(connection: Connection, org_id: str, outcomes: Sequence[Outcome]) -> None:
    """Write what became of attempts, but for those that somebody else has tried again since."""
    await connection.execute(
        """
        UPDATE learnings.webhook_delivery AS d
           SET status = CASE WHEN o.error = '' THEN 'delivered'
                             WHEN o.delay_s IS NULL THEN 'failed' ELSE 'pending' END,
               due_at = now() + make_interval(secs => coalesce(o.delay_s, 0)),
               finished_at = CASE WHEN o.error = '' OR o.delay_s IS NULL THEN now() END,
               error = nullif(o.error, ''), response_status = o.response_status,
               response_text = o.response_text, duration_ms = o.duration_ms
          FROM unnest($2::text[], $3::int[], $4::text[], $5::int[], $6::text[], $7::int[],
                      $8::float8[])
            AS o (id, attempts, error, response_status, response_text, duration_ms, delay_s)
         WHERE d.org_id = $1 AND d.id = o.id AND d.attempts = o.attempts AND d.status = 'pending'
        """,
        org_id,
        [outcome.delivery_id for outcome in outcomes],
        [outcome.attempts for outcome in outcomes],
        [outcome.error for outcome in outcomes],
        [outcome.response_status for outcome in outcomes],
        [outcome.response_text for outcome in outcomes],
        [outcome.duration_ms for outcome in outcomes],
        [outcome.delay_s for outcome in outcomes],
    )


async def write_health(
    connection: Connection, org_id: str, webhook_id: str, health: Health, *, succeeded: bool
) -> None:
    """Write how a webhook's address behaves."""
    await connection.execute(
        """
        UPDATE learnings.webhook
           SET failures = $3, failing_since = $4, given_up = $5,
               last_success_at = CASE WHEN $6 THEN now() ELSE last_success_at END,
               last_failure_at = CASE WHEN $3 > 0 THEN now() ELSE last_failure_at END
         WHERE org_id = $1 AND id = $2
        """,
        org_id,
        webhook_id,
        health.failures,
        health.failing_since,
        health.given_up,
        succeeded,
    )


async def release(connection: Connection, turn: Turn, rest_s: float) -> None:
    """Let go of a webhook that is still held by this turn; its next turn is when something is due.

    The caller has locked it (``org_id`` and id), in an earlier statement: nothing is being added.
    """
    await connection.execute(
        """
        UPDATE learnings.webhook AS w
           SET held_until = NULL,
               rests_until = CASE WHEN $4 > 0 THEN now() + make_interval(secs => $4) END,
               next_at = (SELECT greatest(d.due_at, now() + make_interval(secs => $4))
                            FROM learnings.webhook_delivery AS d
                           WHERE d.org_id = $1 AND d.webhook_id = $2 AND d.status = 'pending'
                           ORDER BY d.due_at LIMIT 1)
         WHERE org_id = $1 AND id = $2 AND held_until = $3 AND disabled_at IS NULL
        """,
        turn.org_id,
        turn.webhook_id,
        turn.held_until,
        rest_s,
    )


async def give_back(connection: Connection, turns: Sequence[Turn]) -> None:
    """Let go of webhooks that were not finished with, all tenants: the process is to stop."""
    await connection.execute(
        """
        UPDATE learnings.webhook AS w SET held_until = NULL, next_at = now()
          FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS t (org_id, id, held_until)
         WHERE w.org_id = t.org_id AND w.id = t.id AND w.held_until = t.held_until
        """,
        [turn.org_id for turn in turns],
        [turn.webhook_id for turn in turns],
        [turn.held_until for turn in turns],
    )
