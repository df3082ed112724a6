"""``POST /api/teams``: making a team or changing one (teams contract, section 5)."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from services.teams.claims import operations as claims
from services.teams.claims.models import NewSecret
from services.teams.machines import operations as machines
from services.teams.people import operations as people
from services.teams.people.models import MachineOwner
from services.teams.replays import operations as replays
from services.teams.replays.models import Done, Signed
from services.teams.teams import rules, store
from services.teams.teams.models import Actor, Change, Content, NewTeam, Team
from services.teams.teams.operations.changing import between, change, create
from services.teams.teams.operations.reading import again, team_bytes
from services.teams.teams.operations.resolving import MANY, read_team_id
from shared.api import Reply
from shared.db import Connection, Database
from shared.errors import BadRequest, Conflict, Forbidden, NotFound, Unavailable
from shared.siblings import Siblings

CREATED: Final = 201
OWNER_ONLY: Final = "only the team owner can change the team"


class _Wanted:
    """What a request asks for, read once."""

    def __init__(self, body: Any) -> None:
        if "team" not in body:
            raise BadRequest("team is required")
        self.change = rules.read_change(body["team"], creating=False)
        self.team_id = read_team_id(body.get("team_id"))
        self.base_hash = rules.read_base_hash(body.get("base_hash"))

    def creates(self, team: Team | None) -> bool:
        """Tell whether it makes a team, given the one that the machine would mean."""
        if self.team_id is not None:
            return False
        if team is None:
            return True
        other = self.change.name is not None and self.change.name.lower() != team.name.lower()
        return other and self.base_hash is None


class _Owner:
    """Who will own a new team: an account, or whoever shows the secret."""

    def __init__(self, owner: MachineOwner, secret: NewSecret | None) -> None:
        self.account = owner.account_id or None
        self.link_version = owner.version
        self.secret = secret


async def save(database: Database, siblings: Siblings, signed: Signed) -> Reply:
    """Make or change a team.

    Raises:
        BadRequest: the team is none.
        NotFound: the team named is not one of the machine's.
        Conflict: another state stands than the one the writer knew, or it is not clear which team
            is meant.
        Forbidden: only its owner may change it.
        Unavailable: auth did not say whose machine it is.
    """
    wanted = _Wanted(signed.body)
    owner = await _owner(database, siblings, signed.token, wanted)
    work = partial(_save, signed.token, wanted, owner)
    return await replays.once(database, signed, work, again=again)


async def _owner(
    database: Database, siblings: Siblings, token: str, wanted: _Wanted
) -> _Owner | None:
    """Find out who will own a team that is to be made. Auth is asked, but in no transaction."""
    async with database.connection() as connection:
        team, _ = await store.find(connection, token, wanted.team_id)
    if not wanted.creates(team):
        if team is None or team.edit == "members":
            return None
        # Asked for every change of a team that its owner alone may change.
        return _Owner(await people.owner_of(siblings, token), None)
    owner = await people.owner_of(siblings, token)
    return _Owner(owner, None if owner.linked else await claims.mint())


async def _save(token: str, wanted: _Wanted, owner: _Owner | None, connection: Connection) -> Done:
    if wanted.team_id is None:
        # Two that come at once are to make one team, not two.
        await machines.lock(connection, token, 0 if owner is None else owner.link_version)
    team, found = await store.lock(connection, token, wanted.team_id)
    if found > 1:
        raise Conflict(MANY)
    if wanted.creates(team):
        return await _make(connection, token, wanted.change, owner)
    if team is None:
        raise NotFound
    return await _update(connection, token, team, wanted, owner)


async def _make(connection: Connection, token: str, wanted: Change, owner: _Owner | None) -> Done:
    if wanted.name is None:
        raise BadRequest("team name must not be empty")
    if owner is None or (owner.account is None and owner.secret is None):
        # It has lost its team since it was looked at.
        raise Unavailable(retry_after=1)
    secret = owner.secret
    team = await create(
        connection,
        NewTeam(
            content=rules.create(wanted),
            actor=Actor.machine(token),
            token=token,
            owner=owner.account,
            claim_lookup=None if secret is None else secret.lookup,
            claim_hash=None if secret is None else secret.hash,
        ),
    )
    told = rules.team_data(team, None if secret is None else secret.text)
    return Done(b'{"team":%b}' % told, CREATED, team.id, b"")


async def _update(
    connection: Connection, token: str, team: Team, wanted: _Wanted, owner: _Owner | None
) -> Done:
    before = rules.content_of(team)
    after = _settled(before, team, wanted)
    if team.edit == "owner" and _changes_more_than_knowledge(before, after):
        if owner is None:
            raise Unavailable(retry_after=1)
        if owner.account is None or owner.account != team.owner:
            raise Forbidden(OWNER_ONLY)
    summary = rules.summary_of(before, after)
    changed = await change(connection, team, between(before, after), Actor.machine(token), summary)
    return Done(team_bytes(changed), CREATED, team.id, b"")


def _settled(before: Content, team: Team, wanted: _Wanted) -> Content:
    try:
        return rules.settle(before, team.hashes, wanted.change, wanted.base_hash)
    except rules.Clash:
        raise Conflict("conflict", extra={"server_hash": team.hashes.hash}) from None


def _changes_more_than_knowledge(before: Content, after: Content) -> bool:
    edit = between(before, after)
    return any(part is not None for part in (edit.name, edit.members, edit.skills, edit.platforms))
