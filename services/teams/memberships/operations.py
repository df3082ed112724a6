"""Use cases of memberships."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from services.teams.machines import operations as machines
from services.teams.memberships import store
from services.teams.memberships.models import Disconnected, MemberMachine
from services.teams.memberships.store import is_barred
from services.teams.memberships.store import unbar as readmit
from services.teams.people import operations as people
from services.teams.replays import operations as replays
from services.teams.replays.models import Done, Signed
from shared.api import Reply
from shared.bus import outbox
from shared.contracts.teams import TeamJoined, TeamLeft
from shared.db import Connection, Database
from shared.siblings import Siblings

MOST_LISTED: Final = 500

__all__ = [
    "copy",
    "erase",
    "is_barred",
    "leave",
    "leave_all",
    "machines_of",
    "readmit",
    "remove",
    "still",
]


async def still(database: Database, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Tell which pairs of a token and a team are memberships of teams that live."""
    tokens, team_ids = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    async with database.connection() as connection:
        return await store.holding(connection, tokens, team_ids)


async def leave(
    connection: Connection, token: str, team_id: str | None, link_version: int = 0
) -> int:
    """End a machine's membership of one team, or of all; give how many that were.

    Says team.left for each, upon which its sockets are told.

    Args:
        connection: in a transaction.
        token: the machine's.
        team_id: one team; None for all.
        link_version: of its link to an account, where auth was asked: what auth says of a change up
            to that one ends nothing any more.
    """
    await machines.lock(connection, token, link_version)
    left = await store.delete(connection, token, team_id)
    if not left:
        return 0
    await replays.drop_of_token(connection, token)
    await outbox.add_all(connection, [TeamLeft(team_id=one, token=token) for one in left])
    return len(left)


async def machines_of(connection: Connection, team_id: str) -> Sequence[MemberMachine]:
    """Give a team's machines, those that its owner has removed last, at most 500."""
    return await store.machines_of(connection, team_id, MOST_LISTED)


async def remove(connection: Connection, team_id: str, token: str) -> bool:
    """Remove a machine from a team, as its owner may; False if it is no member.

    Says team.left. No invitation lets it in again until ``readmit``.
    """
    if not await leave(connection, token, team_id):
        return False
    await store.bar(connection, team_id, token)
    return True


async def leave_all(connection: Connection, tokens: Sequence[str]) -> int:
    """End all memberships of several machines; give how many that were. Says team.left."""
    await machines.lock_all(connection, tokens)
    left = await store.delete_all(connection, tokens)
    for token in sorted({token for token, _ in left}):
        await replays.drop_of_token(connection, token)
    await outbox.add_all(connection, [TeamLeft(team_id=team, token=token) for token, team in left])
    return len(left)


async def copy(connection: Connection, tokens: Sequence[str], to: str) -> int:
    """Make a machine a member of all teams of others; give of how many it was none before.

    Says team.joined for each. The caller holds the machine's row.
    """
    joined = await store.copy(connection, tokens, to)
    if joined:
        await replays.drop_of_token(connection, to)
    await outbox.add_all(connection, [TeamJoined(team_id=team, token=to) for team in joined])
    return len(joined)


async def erase(
    database: Database, siblings: Siblings, signed: Signed, team_id: str | None
) -> Reply:
    """Disconnect a machine from one team, or from all (``DELETE /api/token/{token}/erase``).

    With all of them its link to an account ends, which auth does first: should this process stop
    between the two, auth's event ends the memberships, and a repeat finds nothing to undo.

    Args:
        database: of teams.
        siblings: to ask auth.
        signed: the request.
        team_id: one team, which need not be the machine's; None for all.

    Raises:
        Unavailable: auth did not end the link; then nothing has changed.
    """
    before = version = 0
    if team_id is None:
        async with database.connection() as connection:
            before = await store.count(connection, signed.token)
        await people.revoke(siblings, signed.token)
        version = (await people.owner_of(siblings, signed.token)).version
    work = partial(_erase, signed.token, team_id, before, version)
    return await replays.once(database, signed, work)


async def _erase(
    token: str, team_id: str | None, before: int, link_version: int, connection: Connection
) -> Done:
    left = await leave(connection, token, team_id, link_version)
    # What auth's event has ended in the meantime was ended by this request, too.
    return Done(Disconnected(teams_removed=max(before, left)).model_dump_json().encode())
