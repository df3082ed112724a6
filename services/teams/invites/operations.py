"""Use cases of invites: make one, look through it, come in by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from uuid import uuid4

from pydantic_core import to_json

from services.teams.invites import rules, store
from services.teams.invites.models import Invite, InviteAnswer, Invited, NewInvite, Terms
from services.teams.invites.rules import read_max_uses, read_ttl_hours, shown
from services.teams.invites.store import revoke
from services.teams.machines import operations as machines
from services.teams.memberships import operations as memberships
from services.teams.people import operations as people
from services.teams.replays import operations as replays
from services.teams.replays.models import Done, Signed
from services.teams.teams import operations as teams
from services.teams.teams.models import Actor, Team
from shared.api import Reply
from shared.bus import outbox
from shared.contracts.teams import TeamJoined
from shared.db import Connection, Database
from shared.errors import NotFound, Unavailable
from shared.siblings import Siblings

INVALID: Final = "invalid_invite"
MOST_LISTED: Final = 100
KEPT_DAYS: Final = 7
SWEPT: Final = 1_000

__all__ = [
    "create",
    "join",
    "list_of",
    "look",
    "mint",
    "preview",
    "read_max_uses",
    "read_ttl_hours",
    "revoke",
    "shown",
    "sweep",
]


async def create(database: Database, signed: Signed) -> Reply:
    """Make an invitation to the machine's team (``POST /api/teams/invite``).

    Raises:
        BadRequest: ``max_uses`` is no number of machines.
        NotFound: what it named is no team's id.
        Forbidden: the machine is no member.
        Conflict: it has several teams and names none.
    """
    terms = rules.read_terms(signed.body)
    team_id = teams.read_team_id(signed.body.get("team_id"))
    return await replays.once(database, signed, partial(_create, signed.token, team_id, terms))


async def _create(token: str, team_id: str | None, terms: Terms, connection: Connection) -> Done:
    team = teams.require_member(await teams.lock(connection, token, team_id), team_id)
    made_by = Actor.machine(token).name
    made = await mint(connection, team.id, made_by, terms.hours, terms.max_uses)
    answer = InviteAnswer(invite_code=made.code, expires_at=rules.shown(made.expires_at))
    # Of no team: whatever happens to it, a repeat is to make no second invitation.
    return Done(answer.model_dump_json().encode())


async def mint(
    connection: Connection,
    team_id: str,
    made_by: str,
    hours: int = rules.DEFAULT_HOURS,
    max_uses: int | None = None,
) -> NewInvite:
    """Make an invitation to a team, for whoever was found to be allowed that.

    Args:
        connection: in a transaction that holds the team's row.
        team_id: of a team that lives.
        made_by: the name of an actor.
        hours: until it ends, 1 to 168.
        max_uses: how many machines it admits; None for any number.
    """
    code = rules.new_code()
    expires_at = await store.insert(
        connection,
        str(uuid4()),
        team_id,
        rules.digest(code),
        code[: rules.HINTED],
        made_by,
        Terms(hours, max_uses),
    )
    return NewInvite(code, expires_at)


async def preview(database: Database, token: str, body: Mapping[str, Any]) -> bytes:
    """Show the team behind a code, without souls and knowledge (``POST /api/teams/preview``).

    Raises:
        BadRequest: there is no code.
        NotFound: it opens nothing (any more).
    """
    invited = await _behind(database, rules.read_code(body), token)
    return b'{"team":%b}' % teams.preview_data(invited.team)


async def look(database: Database, code: str) -> Invited:
    """Give what a code opens, for its page. It uses nothing up.

    Raises:
        NotFound: it opens nothing (any more).
    """
    return await _behind(database, rules.read_code({"invite_code": code}), "")


async def _behind(database: Database, code: str | None, token: str) -> Invited:
    if code is None:
        raise NotFound(INVALID)
    async with database.connection() as connection:
        door = await store.find(connection, rules.digest(code), token)
        team = None if door is None else await teams.find_by_id(connection, door.team_id)
    if door is None or team is None:
        raise NotFound(INVALID)
    return Invited(team, door.made_by, door.expires_at)


async def join(database: Database, siblings: Siblings, signed: Signed) -> Reply:
    """Make a machine a member of the team behind a code (``POST /api/join``).

    Says team.joined. A member that joins again changes nothing and uses nothing.

    Raises:
        BadRequest: there is no code.
        NotFound: it opens nothing (any more), or the machine's owner took it away.
        Unavailable: auth did not say whether that is so.
    """
    code = rules.read_code(signed.body)
    if code is None:
        raise NotFound(INVALID)
    owner = await people.owner_of(siblings, signed.token)
    if owner.barred:
        raise NotFound(INVALID)
    return await replays.once(
        database,
        signed,
        partial(_join, signed.token, owner.version, rules.digest(code)),
        again=partial(_joined_again, signed.token),
    )


async def _join(token: str, link_version: int, digest: bytes, connection: Connection) -> Done:
    known = await machines.lock(connection, token, link_version)
    if link_version and known > link_version:
        # Its owner has taken it away since auth was asked. (Auth knows of no version of a machine
        # that nobody has linked, or whose account is gone.)
        raise Unavailable(retry_after=1)
    door = await store.find(connection, digest, token)
    team = None if door is None else await teams.lock_by_id(connection, door.team_id)
    # Once more, now that nobody else can use it: uses are counted under the lock of the team.
    door = await store.find(connection, digest, token)
    if team is None or door is None or await memberships.is_barred(connection, team.id, token):
        raise NotFound(INVALID)
    if await teams.add_member(connection, token, team.id, door.invite_id):
        await store.note_use(connection, door.invite_id, token)
        await replays.drop_of_token(connection, token)
        await outbox.add(connection, TeamJoined(team_id=team.id, token=token))
    return Done(_told(team, token), team_id=team.id, kept=b"")


async def _joined_again(token: str, connection: Connection, team_id: str) -> bytes:
    team = await teams.find_by_id(connection, team_id)
    if team is None:
        raise NotFound(INVALID)
    return _told(team, token)


def _told(team: Team, token: str) -> bytes:
    return teams.team_bytes(team, token=to_json(token))


async def list_of(database: Database, team_id: str) -> Sequence[Invite]:
    """Give a team's invitations that hold, the newest first, at most 100."""
    async with database.connection() as connection:
        return await store.list_of(connection, team_id, MOST_LISTED)


async def sweep(database: Database) -> None:
    """Drop invitations a week after their end."""
    dropped = SWEPT
    while dropped == SWEPT:
        async with database.transaction() as connection:
            dropped = await store.delete_old(connection, KEPT_DAYS, SWEPT)
