"""SQL of erasures and exports. What belongs to a person is found by the person."""

from __future__ import annotations

from collections.abc import Sequence

from services.auth.erasures.models import ErasureItem, ExportedAccount, Key, ServiceAnswer, Share
from shared.db import Connection, Record


async def find_estate(connection: Connection, account_id: str) -> list[Share]:
    """Find the organizations of a person by org_id, each with who would own it next.

    Whoever may act comes before whoever is barred.
    """
    rows = await connection.fetch(
        """
        SELECT m.org_id, m.role, h.account_id AS heir,
               EXISTS (SELECT FROM auth.membership w
                        WHERE w.org_id = m.org_id AND w.account_id <> $1 AND w.role = 'owner')
                   AS has_other_owner
          FROM auth.membership m
          LEFT JOIN LATERAL (
               SELECT o.account_id FROM auth.membership o JOIN auth.account a ON a.id = o.account_id
                WHERE o.org_id = m.org_id AND o.account_id <> $1
                ORDER BY a.disabled_at IS NOT NULL, o.role = 'member', o.created_at, o.account_id
                LIMIT 1) h ON true
         WHERE m.account_id = $1 ORDER BY m.org_id
        """,
        account_id,
    )
    return [Share(**row) for row in rows]


async def find_live_keys(
    connection: Connection, account_id: str, org_ids: Sequence[str]
) -> list[Key]:
    """Find the keys that end with a person, and with the organizations that go along."""
    rows = await connection.fetch(
        """
        SELECT org_id, id FROM auth.api_key
         WHERE account_id = $1 AND revoked_at IS NULL
        UNION
        SELECT org_id, id FROM auth.api_key
         WHERE org_id = ANY($2::text[]) AND revoked_at IS NULL
        """,
        account_id,
        org_ids,
    )
    return [Key(**row) for row in rows]


async def delete_organization(connection: Connection, org_id: str) -> None:
    """Delete an organization, and by foreign keys what belongs to it."""
    await connection.execute("DELETE FROM auth.organization WHERE id = $1", org_id)


async def delete_traces(connection: Connection, email_key: str) -> None:
    """Delete an address where others wrote it down: invitations, and the list of who waits.

    Of all tenants: whoever invited the person, the address was the person's.
    """
    await connection.execute(
        """
        WITH invited AS (DELETE FROM auth.invitation WHERE email_key = $1)
        DELETE FROM auth.waiting_person WHERE email_key = $1
        """,
        email_key,
    )


async def insert(connection: Connection, account_id: str) -> None:
    """Note that an account is to be forgotten by all."""
    await connection.execute("INSERT INTO auth.erasure (account_id) VALUES ($1)", account_id)


async def lock_open(connection: Connection, account_id: str) -> bool:
    """Take an erasure that still waits for answers; False when there is none."""
    found = await connection.fetchval(
        """
        SELECT true FROM auth.erasure WHERE account_id = $1 AND closed_at IS NULL FOR UPDATE
        """,
        account_id,
    )
    return bool(found)


async def insert_answer(connection: Connection, account_id: str, service: str) -> None:
    """Note that a service has forgotten an account; the first time counts."""
    await connection.execute(
        """
        INSERT INTO auth.erasure_answer (account_id, service) VALUES ($1, $2)
        ON CONFLICT DO NOTHING
        """,
        account_id,
        service,
    )


async def close(connection: Connection, account_id: str, services: Sequence[str]) -> bool:
    """Close an erasure once all services have answered; False while some have not."""
    closed = await connection.fetchval(
        """
        UPDATE auth.erasure e SET closed_at = now()
         WHERE e.account_id = $1 AND e.closed_at IS NULL
           AND NOT EXISTS (SELECT FROM unnest($2::text[]) AS wanted (service)
                            WHERE NOT EXISTS (SELECT FROM auth.erasure_answer a
                                               WHERE a.account_id = e.account_id
                                                 AND a.service = wanted.service))
        RETURNING true
        """,
        account_id,
        services,
    )
    return bool(closed)


async def list_all(connection: Connection, limit: int, offset: int) -> list[ErasureItem]:
    """Give a page of erasures with their answers, the newest first."""
    rows = await connection.fetch(
        """
        SELECT e.account_id, e.requested_at, e.closed_at, a.services, a.times
          FROM (SELECT * FROM auth.erasure
                 ORDER BY requested_at DESC, account_id DESC LIMIT $1 OFFSET $2) e
          LEFT JOIN LATERAL (
               SELECT array_agg(service ORDER BY service) AS services,
                      array_agg(answered_at ORDER BY service) AS times
                 FROM auth.erasure_answer WHERE account_id = e.account_id) a ON true
         ORDER BY e.requested_at DESC, e.account_id DESC
        """,
        limit,
        offset,
    )
    return [_item(row) for row in rows]


def _item(row: Record) -> ErasureItem:
    answers = zip(row["services"] or (), row["times"] or (), strict=True)
    return ErasureItem(
        account_id=row["account_id"],
        requested_at=row["requested_at"],
        closed_at=row["closed_at"],
        answers=[ServiceAnswer(service=name, answered_at=at) for name, at in answers],
    )


async def count_all(connection: Connection, cap: int) -> int:
    """Count erasures, up to a cap."""
    total: int = await connection.fetchval(
        "SELECT count(*) FROM (SELECT FROM auth.erasure LIMIT $1) AS capped", cap
    )
    return total


async def find_account(connection: Connection, account_id: str) -> ExportedAccount | None:
    """Find a person for the export."""
    row = await connection.fetchrow(
        """
        SELECT id, email, name, verified_at, created_at, updated_at
          FROM auth.account WHERE id = $1
        """,
        account_id,
    )
    return None if row is None else ExportedAccount(**row)


async def list_organizations(connection: Connection, account_id: str) -> list[Record]:
    """Give all organizations of a person; which org_id they have is what is asked."""
    return await connection.fetch(
        """
        SELECT o.id, o.name, o.slug, m.role, m.created_at AS joined_at
          FROM auth.membership m JOIN auth.organization o ON o.id = m.org_id
         WHERE m.account_id = $1 ORDER BY m.created_at, o.id
        """,
        account_id,
    )


async def list_sessions(connection: Connection, account_id: str) -> list[Record]:
    """Give all sessions of a person that are still written down, with their org_id."""
    return await connection.fetch(
        """
        SELECT id, org_id, kind, client, user_agent, created_at, last_used_at, expires_at, ended_at
          FROM auth.session WHERE account_id = $1 ORDER BY created_at, id
        """,
        account_id,
    )


async def list_keys(connection: Connection, account_id: str) -> list[Record]:
    """Give all API keys of a person, with their org_id and without what they are checked by."""
    return await connection.fetch(
        """
        SELECT id, org_id, kind, name, prefix, scopes, created_at, expires_at, last_used_at,
               revoked_at
          FROM auth.api_key WHERE account_id = $1 ORDER BY created_at, id
        """,
        account_id,
    )


async def has_second_factor(connection: Connection, account_id: str) -> bool:
    """Tell whether a second factor is on."""
    found = await connection.fetchval(
        """
        SELECT true FROM auth.two_factor WHERE account_id = $1 AND confirmed_at IS NOT NULL
        """,
        account_id,
    )
    return bool(found)


async def list_audit_events(connection: Connection, account_id: str, limit: int) -> list[Record]:
    """Give the newest of what a person did and was refused, whatever its org_id."""
    return await connection.fetch(
        """
        SELECT id, occurred_at, org_id, action, outcome, target, detail::text AS detail, client,
               user_agent, request_id
          FROM auth.audit_event WHERE actor_id = $1 ORDER BY id DESC LIMIT $2
        """,
        account_id,
        limit,
    )


async def count_audit_events(connection: Connection, account_id: str) -> int:
    """Count what a person did and was refused, whatever its org_id."""
    total: int = await connection.fetchval(
        "SELECT count(*) FROM auth.audit_event WHERE actor_id = $1", account_id
    )
    return total
