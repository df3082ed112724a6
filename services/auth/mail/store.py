"""SQL of the letters that wait to be sent. A letter belongs to a person, not to a tenant."""

from __future__ import annotations

from datetime import timedelta

from services.auth.mail.models import DueLetter, Letter
from shared.db import Connection


async def insert(connection: Connection, letter: Letter) -> None:
    """Put a letter into the queue."""
    await connection.execute(
        "INSERT INTO auth.letter (recipient, subject, body, html) VALUES ($1, $2, $3, $4)",
        letter.recipient,
        letter.subject,
        letter.body,
        letter.html,
    )


async def claim_due(
    connection: Connection, limit: int, pause: timedelta, longest_pause: timedelta
) -> list[DueLetter]:
    """Take letters whose time has come and move that time on.

    The pause doubles with each attempt, and is at the same time the lease: nobody else takes the
    letter meanwhile, and a crash of its taker leaves it to be taken again.
    """
    rows = await connection.fetch(
        """
        UPDATE auth.letter
           SET attempts = attempts + 1,
               due_at = now() + least($2::interval * 2 ^ least(attempts, 20), $3::interval)
         WHERE id IN (SELECT id FROM auth.letter WHERE due_at <= now()
                       ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
        RETURNING id, recipient, subject, body, html, attempts, created_at
        """,
        limit,
        pause,
        longest_pause,
    )
    return [
        DueLetter(
            id=row["id"],
            letter=Letter(row["recipient"], row["subject"], row["body"], row["html"]),
            attempts=row["attempts"],
            created_at=row["created_at"],
        )
        for row in rows
    ]


async def delete(connection: Connection, letter_id: int) -> None:
    """Forget a letter: it was sent, or never can be."""
    await connection.execute("DELETE FROM auth.letter WHERE id = $1", letter_id)
