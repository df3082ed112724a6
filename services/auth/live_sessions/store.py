"""SQL of the session that is asking."""

from __future__ import annotations

from shared.db import Connection


async def lock(connection: Connection, org_id: str, account_id: str, session_id: str) -> bool:
    """Tell whether a session holds, and keep it so for this transaction."""
    found = await connection.fetchval(
        """
        SELECT true FROM auth.session
         WHERE org_id = $1 AND account_id = $2 AND id = $3
           AND ended_at IS NULL AND expires_at > now()
           FOR SHARE
        """,
        org_id,
        account_id,
        session_id,
    )
    return bool(found)
