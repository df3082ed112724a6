"""SQL of the waitlist. Who waits belongs to no tenant yet."""

from __future__ import annotations

from services.auth.waitlist.models import WaitingPerson
from shared.db import Connection


async def insert(connection: Connection, person_id: str, email: str, email_key: str) -> None:
    """Add an address, unless it waits already."""
    await connection.execute(
        """
        INSERT INTO auth.waiting_person (id, email, email_key) VALUES ($1, $2, $3)
        ON CONFLICT (email_key) DO NOTHING
        """,
        person_id,
        email,
        email_key,
    )


async def list_all(connection: Connection, limit: int, offset: int) -> list[WaitingPerson]:
    """Give a page of who waits or waited, newest first."""
    rows = await connection.fetch(
        """
        SELECT id, email, signed_up_at, converted_at FROM auth.waiting_person
         ORDER BY signed_up_at DESC, id DESC LIMIT $1 OFFSET $2
        """,
        limit,
        offset,
    )
    return [WaitingPerson(**row) for row in rows]


async def count_all(connection: Connection, cap: int) -> int:
    """Count who waits or waited, up to a cap."""
    total: int = await connection.fetchval(
        "SELECT count(*) FROM (SELECT FROM auth.waiting_person LIMIT $1) AS capped", cap
    )
    return total


async def convert(connection: Connection, person_id: str) -> str | None:
    """Note that somebody waits no longer and give their address; None when they did not wait."""
    email: str | None = await connection.fetchval(
        """
        UPDATE auth.waiting_person SET converted_at = now()
         WHERE id = $1 AND converted_at IS NULL RETURNING email
        """,
        person_id,
    )
    return email


async def exists(connection: Connection, person_id: str) -> bool:
    """Tell whether somebody waits or waited by this id."""
    found = await connection.fetchval(
        "SELECT true FROM auth.waiting_person WHERE id = $1", person_id
    )
    return bool(found)
