"""Which team a request means (teams contract, section 4)."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from services.teams.teams import store
from services.teams.teams.models import Team
from shared.db import Connection
from shared.errors import Conflict

MANY: Final = "team_id required: token belongs to multiple teams"
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


def _only(team: Team | None, found: int) -> Team | None:
    if found > 1:
        raise Conflict(MANY)
    return team
