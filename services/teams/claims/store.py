"""SQL of claims."""

from __future__ import annotations

from services.teams.claims.models import Candidate
from shared.db import Connection


async def find(connection: Connection, token: str, lookup: bytes) -> Candidate | None:
    """Find the one team that a secret may claim: unowned, with the machine as its member."""
    row = await connection.fetchrow(
        """
        SELECT t.id, t.claim_hash
          FROM teams.team t JOIN teams.membership m ON m.team_id = t.id AND m.token = $1
         WHERE t.claim_lookup = $2 AND t.claim_hash IS NOT NULL AND t.owner IS NULL
           AND t.deleted_at IS NULL
        """,
        token,
        lookup,
    )
    return None if row is None else Candidate(str(row["id"]), row["claim_hash"])


async def lock_member(connection: Connection, token: str, team_id: str) -> bool:
    """Keep a machine's membership and its team as they are; False if it is no member (any more)."""
    locked = await connection.fetchval(
        """
        SELECT true FROM teams.team t JOIN teams.membership m ON m.team_id = t.id
         WHERE t.id = $2 AND m.token = $1 AND t.deleted_at IS NULL
           FOR UPDATE OF t FOR SHARE OF m
        """,
        token,
        team_id,
    )
    return bool(locked)


async def set_owner(connection: Connection, team: Candidate, account_id: str) -> bool:
    """Give a team its owner and forget the secret; False if somebody owns it already.

    The hash that was checked must still be its own.
    """
    owned = await connection.fetchval(
        """
        UPDATE teams.team
           SET owner = $3, claim_lookup = NULL, claim_hash = NULL, updated_at = now()
         WHERE id = $1 AND claim_hash = $2 AND owner IS NULL AND deleted_at IS NULL
        RETURNING true
        """,
        team.team_id,
        team.hash,
        account_id,
    )
    return bool(owned)
