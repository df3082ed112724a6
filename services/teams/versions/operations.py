"""Use cases of versions: list and read what a team was, bring it back, forget what is too old."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from services.teams.people import operations as people
from services.teams.people.models import MachineOwner
from services.teams.replays import operations as replays
from services.teams.replays.models import Done, Signed
from services.teams.settings import TeamsSettings
from services.teams.teams import operations as teams
from services.teams.teams.models import Actor, Content, Edit, Team, TeamParts
from services.teams.versions import rules, store
from services.teams.versions.models import Keeping, Kept, Version, VersionQuery, Wanted
from shared.api import Reply
from shared.db import Connection, Database
from shared.errors import Conflict, Forbidden, NotFound, Unavailable
from shared.siblings import Siblings

MOST_PER_NEWEST: Final = 10
"""Times as many versions as are kept at any age are kept at most."""

SWEPT: Final = 500
"""Teams that the sweep looks up at a time."""

FIRST: Final = "00000000-0000-0000-0000-000000000000"


async def list_of(database: Database, token: str, query: VersionQuery) -> list[Version]:
    """Give the versions of a machine's team, the newest first.

    Raises:
        NotFound: the machine has no such team.
        Conflict: it has several and names none.
    """
    team = await teams.head(database, token, teams.read_team_id(query.team_id))
    async with database.connection() as connection:
        return await store.list_of(connection, team.id, query.before, query.limit)


async def list_of_team(database: Database, team_id: str, before: int, most: int) -> list[Version]:
    """Give the versions of a team before a number, the newest first, for whoever may see them."""
    async with database.connection() as connection:
        return await store.list_of(connection, team_id, before, most)


async def read_one(database: Database, token: str, team_id: str | None, number: str) -> bytes:
    """Give the answer with what a machine's team was in a version.

    Raises:
        NotFound: the machine has no such team, or that no such version.
        Conflict: it has several teams and names none.
    """
    version = rules.read_number(number)
    team = await teams.head(database, token, teams.read_team_id(team_id))
    async with database.connection() as connection:
        kept = await store.find(connection, team.id, version)
    if kept is None:
        raise NotFound
    parts = TeamParts(
        id=team.id,
        name=kept.name,
        knowledge=kept.knowledge,
        hashes=teams.hashes_of(_content(kept)),
        members=kept.members,
        skills=kept.skills,
        platforms=kept.platforms,
    )
    return _told(parts, version)


async def roll_back(database: Database, siblings: Siblings, signed: Signed) -> Reply:
    """Bring back what a team was, exactly, as its newest version (``POST /api/teams/rollback``).

    What has not changed since is not written anew: the newest version then stays the newest.

    Raises:
        BadRequest: there is no number.
        NotFound: the machine has no such team, or that no such version.
        Conflict: another state stands than the one the writer knew, or it is not clear which team
            is meant.
        Forbidden: only its owner may change it.
        Unavailable: auth did not say whose machine it is.
    """
    wanted = Wanted(
        version=rules.read_version(signed.body),
        team_id=teams.read_team_id(signed.body.get("team_id")),
        base_hash=teams.read_base_hash(signed.body.get("base_hash")),
    )
    owner = await _owner(database, siblings, signed.token, wanted.team_id)
    return await replays.once(database, signed, partial(_roll_back, signed.token, wanted, owner))


def sweep_of(settings: TeamsSettings) -> Callable[[Database], Awaitable[None]]:
    """Make the hourly clean-up of a process."""

    async def clean_up(database: Database) -> None:
        await sweep(database, newest=settings.versions, days=settings.versions_days)

    return clean_up


async def sweep(database: Database, *, newest: int, days: int) -> None:
    """Forget versions that are too old or too many, and the parts that only they named.

    Each team by itself, under its lock, because a part that nobody names now might be named by the
    next change. Only a team that has lost versions can have parts that nobody names.

    Args:
        database: of teams.
        newest: versions of each team that are kept at any age.
        days: that older ones are kept, ten times as many as ``newest`` in all.
    """
    keeping = Keeping(newest, newest * MOST_PER_NEWEST, days)
    after, found = FIRST, SWEPT
    while found == SWEPT:
        async with database.connection() as connection:
            due = await store.due(connection, keeping, after, SWEPT)
        for team_id in due:
            async with database.transaction() as connection:
                await store.lock(connection, team_id)
                await store.trim(connection, team_id, keeping)
                await store.drop_parts(connection, team_id)
            after = team_id
        found = len(due)


async def _owner(
    database: Database, siblings: Siblings, token: str, team_id: str | None
) -> MachineOwner | None:
    """Ask whose machine it is, in no transaction; None where that does not matter."""
    async with database.connection() as connection:
        team = await teams.find(connection, token, team_id)
    if team is None or team.edit == "members":
        return None
    return await people.owner_of(siblings, token)


async def _roll_back(
    token: str, wanted: Wanted, owner: MachineOwner | None, connection: Connection
) -> Done:
    team = await teams.lock(connection, token, wanted.team_id)
    if team is None:
        raise NotFound
    _check_owner(team, owner)
    kept = await _kept(connection, team, wanted.version)
    if wanted.base_hash not in (None, team.hashes.hash):
        raise Conflict("conflict", extra={"server_hash": team.hashes.hash})
    changed = await _restore(connection, team, wanted.version, kept, Actor.machine(token))
    # No team: a repeat that comes after the next change must not undo that.
    return Done(_told(changed, changed.version))


async def restore(connection: Connection, team: Team, version: int, actor: Actor) -> Team:
    """Bring back what a team was, for whoever was found to be allowed that.

    Args:
        connection: in a transaction that holds the team's row.
        team: the row as it is.
        version: the number.
        actor: who does it.

    Raises:
        NotFound: there is no such version.
    """
    return await _restore(connection, team, version, await _kept(connection, team, version), actor)


async def _kept(connection: Connection, team: Team, version: int) -> Kept:
    kept = await store.find(connection, team.id, version)
    if kept is None:
        raise NotFound
    return kept


async def _restore(
    connection: Connection, team: Team, version: int, kept: Kept, actor: Actor
) -> Team:
    was = _content(kept)
    edit = Edit(was.name, was.members, was.skills, was.platforms, was.knowledge)
    return await teams.change(connection, team, edit, actor, f"rolled back to version {version}")


def _check_owner(team: Team, owner: MachineOwner | None) -> None:
    if team.edit == "members":
        return
    if owner is None:
        # Its owner has closed it since it was looked at.
        raise Unavailable(retry_after=1)
    if not owner.linked or owner.account_id != team.owner:
        raise Forbidden(teams.OWNER_ONLY)


def _content(kept: Kept) -> Content:
    return Content(
        name=kept.name,
        members=teams.members_from(kept.members),
        skills=teams.skills_from(kept.skills),
        platforms=teams.platforms_from(kept.platforms),
        knowledge=kept.knowledge,
    )


def _told(team: TeamParts, version: int) -> bytes:
    return teams.team_bytes(team, version=str(version).encode())
