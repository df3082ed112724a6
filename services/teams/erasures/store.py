"""SQL of what is erased with accounts and organizations."""

from __future__ import annotations

from collections.abc import Sequence

from shared.db import Connection


async def clear_owner(connection: Connection, account_id: str) -> None:
    """Let an account own no team any more, whatever its org_id; the teams stay.

    What only the owner could change, its members may from then on: nobody else is left.
    """
    await connection.execute(
        """
        WITH owned AS (
            SELECT id AS team_id FROM teams.team WHERE owner = $1 ORDER BY id FOR UPDATE
        )
        UPDATE teams.team
           SET owner = NULL, org_id = NULL, edit = 'members', revision = revision + 1,
               updated_at = now()
         WHERE id IN (SELECT team_id FROM owned)
        """,
        account_id,
    )


async def clear_organizations(connection: Connection, org_ids: Sequence[str]) -> None:
    """Forget of all teams that they were made in some organizations; the teams stay."""
    await connection.execute(
        """
        WITH marked AS (
            SELECT id AS team_id FROM teams.team WHERE org_id = ANY($1::text[])
             ORDER BY id FOR UPDATE
        )
        UPDATE teams.team SET org_id = NULL WHERE id IN (SELECT team_id FROM marked)
        """,
        org_ids,
    )
