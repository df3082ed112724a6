"""Which team a request means (teams contract, section 4)."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from services.teams.teams import store
from services.teams.teams.models import Team
from shared.db import Connection
from shared.errors import Conflict, Forbidden, NotFound

MANY: Final = "team_id required: token belongs to multiple teams"
NO_MEMBER: Final = "not a team member"
NOBODYS: Final = "00000000-0000-0000-0000-000000000000"
"""No team's id: what a ``team_id`` that is none is read as, so that it is found nowhere."""

_UUID_LENGTH: Final = 36


def read_team_id(value: Any) -> str | None:
    """Read a ``team_id``: None if absent; whatever is no UUID is no team's."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value) != _UUID_LENGTH:
        return NOBODYS
    try:
        return str(UUID(value))
    except ValueError:
        return NOBODYS


async def find(connection: Connection, token: str, team_id: str | None) -> Team | None:
    """Find the team that a machine means; None if it is a member of none, or not of that one.

    Raises:
        Conflict: it named none and is a member of several.
    """
    team, found = await store.find(connection, token, team_id)
    return _only(team, found)


async def lock(connection: Connection, token: str, team_id: str | None) -> Team | None:
    """Do the same, and keep everybody else from changing it until the transaction ends.

    Raises:
        Conflict: it named none and is a member of several.
    """
    team, found = await store.lock(connection, token, team_id)
    return _only(team, found)


def require_member(team: Team | None, team_id: str | None) -> Team:
    """Give the team that was found for a machine which may act only as its member.

    Args:
        team: from ``find`` or ``lock``.
        team_id: the one it named, as it was read.

    Raises:
        NotFound: what it named is no team's id.
        Forbidden: it is a member of none, or not of that one.
    """
    if team is None and team_id == NOBODYS:
        raise NotFound
    if team is None:
        raise Forbidden(NO_MEMBER)
    return team


async def lock_knowledge(connection: Connection, token: str, team_id: str | None) -> Team:
    """Do the same for whoever only adds knowledge: members, skills and platforms are not read.

    Raises:
        NotFound: the machine is a member of none, or not of that one.
        Conflict: it named none and is a member of several.
    """
    team, found = await store.lock_knowledge(connection, token, team_id)
    team = _only(team, found)
    if team is None:
        raise NotFound
    return team


def _only(team: Team | None, found: int) -> Team | None:
    if found > 1:
        raise Conflict(MANY)
    return team
