"""Use cases of sharing: who may look at a team, and copy it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from services.teams.invites import operations as invites
from services.teams.people import operations as people
from services.teams.people.models import MachineOwner
from services.teams.replays import operations as replays
from services.teams.replays.models import Done, Signed
from services.teams.sharing import rules, store
from services.teams.sharing.models import Sharing, ViewTokenAnswer, VisibilityAnswer
from services.teams.sharing.rules import read_view_token
from services.teams.teams import operations as teams
from services.teams.teams.models import Team
from shared.api import Reply
from shared.bus import outbox
from shared.contracts.teams import TeamChanged
from shared.db import Connection, Database
from shared.errors import Forbidden, NotFound
from shared.siblings import Siblings

OWNER_ONLY: Final = (
    "only the team owner can change visibility. Link your account with `teamrc login`."
)
INVALID: Final = "invalid_clone_token"
HOUR: Final = 3600

__all__ = [
    "change",
    "clone_bytes",
    "create_view_token",
    "find_public",
    "read_view_token",
    "set_visibility",
]


async def set_visibility(database: Database, siblings: Siblings, signed: Signed) -> Reply:
    """Change how a team is shared (``POST /api/teams/visibility``).

    Raises:
        Forbidden: the machine is no member, or not its owner's.
        BadRequest: a setting has a value that it cannot have.
        NotFound: what it named is no team's id.
        Conflict: the machine has several teams and names none.
        Unavailable: auth did not say whose machine it is.
    """
    owner = await people.owner_of(siblings, signed.token)
    return await replays.once(database, signed, partial(_set_visibility, signed, owner))


async def _set_visibility(signed: Signed, owner: MachineOwner, connection: Connection) -> Done:
    team_id = teams.read_team_id(signed.body.get("team_id"))
    found = await teams.lock(connection, signed.token, team_id)
    team = teams.require_member(found, team_id)
    if not owner.linked or team.owner is None or team.owner != owner.account_id:
        raise Forbidden(OWNER_ONLY)
    team = await change(connection, team, rules.read_sharing(signed.body))
    answer = VisibilityAnswer(visibility=team.visibility, clone_token=team.clone_token)
    return Done(answer.model_dump_json().encode(), team_id=team.id)


async def change(connection: Connection, team: Team, wanted: Sharing) -> Team:
    """Write how a team is shared, for whoever was found to be its owner.

    Says team.changed. The first time that it is public it gets its clone token, and keeps it. What
    changes nothing writes nothing.

    Args:
        connection: in a transaction that holds the team's row.
        team: the row as it is.
        wanted: the settings to change.
    """
    after = replace(
        team,
        visibility=team.visibility if wanted.visibility is None else wanted.visibility,
        hide_souls=team.hide_souls if wanted.hide_souls is None else wanted.hide_souls,
        edit=team.edit if wanted.edit is None else wanted.edit,
    )
    if after == team:
        return team
    token = team.clone_token
    if token is None and after.visibility == "public":
        token = rules.new_clone_token()
    revision = await store.update(connection, team.id, wanted, token)
    await replays.drop_of_team(connection, team.id)
    event = TeamChanged(
        team_id=team.id, revision=revision, version=team.version, hash=team.hashes.hash
    )
    await outbox.add(connection, event)
    return replace(after, clone_token=token, revision=revision)


async def find_public(database: Database, clone_token: str) -> Team:
    """Give the team that is public under a token; its ``hide_souls`` says what may be shown.

    Raises:
        NotFound: there is none (any more).
    """
    team = None
    if rules.is_clone_token(clone_token):
        async with database.connection() as connection:
            team_id = await store.find_public(connection, clone_token)
            team = None if team_id is None else await teams.find_by_id(connection, team_id)
    # It may have become private between the two.
    if team is None or team.visibility != "public":
        raise NotFound(INVALID)
    return team


def clone_bytes(team: Team) -> bytes:
    """Give the JSON of a team that anybody may copy."""
    return b'{"team":%b}' % teams.clone_data(team, hide_souls=team.hide_souls)


async def create_view_token(database: Database, key: bytes, signed: Signed) -> Reply:
    """Make a token with which the team's page can be read (``POST /api/teams/view-token``).

    Nothing is stored of it.

    Args:
        database: of teams.
        key: of view tokens, 32 bytes.
        signed: the request.

    Raises:
        NotFound: what it named is no team's id.
        Forbidden: the machine is no member.
        Conflict: it has several teams and names none.
    """
    return await replays.once(database, signed, partial(_create_view_token, key, signed))


async def _create_view_token(key: bytes, signed: Signed, connection: Connection) -> Done:
    team_id = teams.read_team_id(signed.body.get("team_id"))
    found = await teams.find(connection, signed.token, team_id)
    team = teams.require_member(found, team_id)
    hours = invites.read_ttl_hours(signed.body.get("ttl_hours"))
    expires = int(time.time()) + hours * HOUR
    answer = ViewTokenAnswer(
        view_token=rules.view_token(key, team.id, expires),
        team_id=team.id,
        expires_at=invites.shown(datetime.fromtimestamp(expires, UTC)),
    )
    return Done(answer.model_dump_json().encode(), team_id=team.id)
