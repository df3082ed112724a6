"""Use cases of memberships."""

from __future__ import annotations

from collections.abc import Sequence

from services.teams.machines import operations as machines
from services.teams.memberships import store
from services.teams.replays import operations as replays
from shared.bus import outbox
from shared.contracts.teams import TeamLeft
from shared.db import Connection, Database


async def still(database: Database, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Tell which pairs of a token and a team are memberships of teams that live."""
    tokens, team_ids = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    async with database.connection() as connection:
        return await store.holding(connection, tokens, team_ids)


async def leave(connection: Connection, token: str, team_id: str | None) -> int:
    """End a machine's membership of one team, or of all; give how many that were.

    Says team.left for each, upon which its sockets are told.
    """
    await machines.lock(connection, token)
    left = await store.delete(connection, token, team_id)
    await replays.drop_of_token(connection, token)
    await outbox.add_all(connection, [TeamLeft(team_id=one, token=token) for one in left])
    return len(left)
