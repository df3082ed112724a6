"""The SQL of webhooks themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.learnings.webhooks.models import NewWebhook, Webhook
from shared.db import Connection, Record

_ITEM: Final = """
    id, url, events, description, disabled_at IS NULL AS enabled, disabled_at, disabled_reason,
    failing_since, last_success_at, last_failure_at,
    CASE WHEN old_secret_ends_at > now() THEN old_secret_ends_at END AS old_secret_ends_at,
    created_at, updated_at"""

# least and greatest pass over nulls. Whoever holds the webhook looks again when it lets go.
WAKE: Final = "least(next_at, greatest(now(), held_until, rests_until))"


async def lock_organization(connection: Connection, org_id: str) -> None:
    """Let nobody else add webhooks to an organization until the transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('learnings.webhook:' || $1, 0))", org_id
    )


async def count(connection: Connection, org_id: str) -> int:
    """Count an organization's webhooks, of which there are few."""
    total: int = await connection.fetchval(
        "SELECT count(*) FROM learnings.webhook WHERE org_id = $1", org_id
    )
    return total


async def insert(
    connection: Connection, org_id: str, webhook_id: str, new: NewWebhook, sealed: bytes
) -> Webhook:
    """Add a webhook."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO learnings.webhook (org_id, id, url, events, description, secret)
        VALUES ($1, $2, $3, $4, $5, $6) RETURNING {_ITEM}
        """,  # noqa: S608 - a constant of this module
        org_id,
        webhook_id,
        new.url,
        new.events,
        new.description,
        sealed,
    )
    assert row is not None  # RETURNING of an INSERT that succeeded
    return Webhook(**row)


async def page(connection: Connection, org_id: str, limit: int, offset: int) -> list[Webhook]:
    """Give a page of an organization's webhooks, newest first."""
    rows = await connection.fetch(
        f"""
        SELECT {_ITEM} FROM learnings.webhook WHERE org_id = $1
         ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3
        """,  # noqa: S608 - a constant of this module
        org_id,
        limit,
        offset,
    )
    return [Webhook(**row) for row in rows]


async def read(connection: Connection, org_id: str, webhook_id: str) -> Webhook | None:
    """Give one webhook."""
    row = await connection.fetchrow(
        f"SELECT {_ITEM} FROM learnings.webhook WHERE org_id = $1 AND id = $2",  # noqa: S608 - a constant of this module
        org_id,
        webhook_id,
    )
    return _webhook(row)


async def change(
    connection: Connection, org_id: str, webhook_id: str, fields: Mapping[str, Any]
) -> Webhook | None:
    """Change what is given of ``url``, ``events`` and ``description``."""
    row = await connection.fetchrow(
        f"""
        UPDATE learnings.webhook
           SET url = coalesce($3, url), events = coalesce($4, events),
               description = coalesce($5, description), updated_at = now()
         WHERE org_id = $1 AND id = $2 RETURNING {_ITEM}
        """,  # noqa: S608 - a constant of this module
        org_id,
        webhook_id,
        fields.get("url"),
        fields.get("events"),
        fields.get("description"),
    )
    return _webhook(row)


async def enable(connection: Connection, org_id: str, webhook_id: str) -> Webhook | None:
    """Deliver again what waits and what comes, as if the address had never failed."""
    row = await connection.fetchrow(
        f"""
        UPDATE learnings.webhook
           SET disabled_at = NULL, disabled_reason = NULL, failures = 0, failing_since = NULL,
               given_up = 0, rests_until = NULL, held_until = NULL, updated_at = now(),
               next_at = (SELECT min(d.due_at) FROM learnings.webhook_delivery AS d
                           WHERE d.org_id = $1 AND d.webhook_id = $2 AND d.status = 'pending')
         WHERE org_id = $1 AND id = $2 RETURNING {_ITEM}
        """,  # noqa: S608 - a constant of this module
        org_id,
        webhook_id,
    )
    return _webhook(row)


async def disable(
    connection: Connection, org_id: str, webhook_id: str, reason: str
) -> Webhook | None:
    """Deliver nothing more; what waits goes on waiting."""
    row = await connection.fetchrow(
        f"""
        UPDATE learnings.webhook
           SET disabled_at = now(), disabled_reason = $3, next_at = NULL, held_until = NULL,
               updated_at = now()
         WHERE org_id = $1 AND id = $2 RETURNING {_ITEM}
        """,  # noqa: S608 - a constant of this module
        org_id,
        webhook_id,
        reason,
    )
    return _webhook(row)


async def rotate(
    connection: Connection, org_id: str, webhook_id: str, sealed: bytes, overlap_s: float
) -> Webhook | None:
    """Give a webhook a new secret; the one before signs as well for the overlap."""
    row = await connection.fetchrow(
        f"""
        UPDATE learnings.webhook
           SET old_secret = secret, old_secret_ends_at = now() + make_interval(secs => $4),
               secret = $3, updated_at = now()
         WHERE org_id = $1 AND id = $2 RETURNING {_ITEM}
        """,  # noqa: S608 - a constant of this module
        org_id,
        webhook_id,
        sealed,
        overlap_s,
    )
    return _webhook(row)


async def delete(connection: Connection, org_id: str, webhook_id: str) -> bool:
    """Delete a webhook with its deliveries; False when there is none."""
    status = await connection.execute(
        "DELETE FROM learnings.webhook WHERE org_id = $1 AND id = $2", org_id, webhook_id
    )
    return status == "DELETE 1"


async def lock(connection: Connection, org_id: str, webhook_id: str) -> Record | None:
    """Lock a webhook until the transaction ends; give how it stands, and the database's time."""
    return await connection.fetchrow(
        """
        SELECT failures, failing_since, given_up, disabled_at, held_until,
               clock_timestamp() AS now
          FROM learnings.webhook WHERE org_id = $1 AND id = $2 FOR NO KEY UPDATE
        """,
        org_id,
        webhook_id,
    )


async def lock_listening(connection: Connection, org_id: str, kind: str) -> Sequence[str]:
    """Lock the webhooks that are to be told of something, and give their ids.

    Locked, so that nobody who is just letting go of one overlooks what is about to be added.
    """
    rows = await connection.fetch(
        """
        SELECT id FROM learnings.webhook
         WHERE org_id = $1 AND $2 = ANY(events) AND disabled_at IS NULL
         ORDER BY id FOR NO KEY UPDATE
        """,
        org_id,
        kind,
    )
    return [row["id"] for row in rows]


async def wake(
    connection: Connection, org_id: str, webhook_ids: Sequence[str], *, at_once: bool = False
) -> None:
    """Have webhooks looked at as soon as nobody holds them, ``at_once`` even where they rest."""
    await connection.execute(
        f"""
        UPDATE learnings.webhook
           SET rests_until = CASE WHEN $3 THEN NULL ELSE rests_until END,
               next_at = CASE WHEN $3 THEN least(next_at, greatest(now(), held_until))
                              ELSE {WAKE} END
         WHERE org_id = $1 AND id = ANY($2) AND disabled_at IS NULL
           AND ($3 OR next_at IS DISTINCT FROM {WAKE})
        """,  # noqa: S608 - a constant of this module
        org_id,
        webhook_ids,
        at_once,
    )


def _webhook(row: Record | None) -> Webhook | None:
    return None if row is None else Webhook(**row)
