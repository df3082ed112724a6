"""The SQL of files: which objects there are, and which of them are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.learnings.files.models import Dropped
from shared.db import Connection

SWEEP_SIZE: Final = 500
"""Objects that one statement takes."""


async def note(connection: Connection, org_id: str, key: str) -> None:
    """Note an object that is about to be written."""
    await connection.execute(
        "INSERT INTO learnings.file (org_id, key) VALUES ($1, $2)", org_id, key
    )


async def keep(connection: Connection, org_id: str, key: str) -> bool:
    """Keep an object; False when it was swept meanwhile."""
    kept = await connection.fetchval(
        """
        UPDATE learnings.file SET kept = true, changed_at = now()
         WHERE org_id = $1 AND key = $2
        RETURNING true
        """,
        org_id,
        key,
    )
    return bool(kept)


async def drop(connection: Connection, org_id: str, keys: Sequence[str]) -> None:
    """Let objects go; the sweep deletes those that are not deleted at once."""
    await connection.execute(
        """
        UPDATE learnings.file SET kept = false, changed_at = now()
         WHERE org_id = $1 AND key = ANY($2::text[])
        """,
        org_id,
        keys,
    )


async def drop_all(connection: Connection, org_id: str) -> None:
    """Let every object of an organization go."""
    await connection.execute(
        """
        UPDATE learnings.file SET kept = false, changed_at = now()
         WHERE org_id = $1 AND kept
        """,
        org_id,
    )


async def forget(connection: Connection, org_id: str, key: str) -> None:
    """Forget an object that is not in the store any more."""
    await connection.execute(
        "DELETE FROM learnings.file WHERE org_id = $1 AND key = $2 AND NOT kept", org_id, key
    )


async def dropped(connection: Connection, seconds: float) -> list[Dropped]:
    """Give objects that were let go, or begun and never kept, so many seconds ago.

    all tenants: the sweep deletes whatever nobody needs, whoever's it was.
    """
    rows = await connection.fetch(
        """
        SELECT org_id, key FROM learnings.file
         WHERE NOT kept AND changed_at < now() - make_interval(secs => $1)
         ORDER BY changed_at LIMIT $2
        """,
        seconds,
        SWEEP_SIZE,
    )
    return [Dropped(**row) for row in rows]
