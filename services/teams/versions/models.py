"""Versions as they are kept and told (teams contract, sections 4 and 5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from shared.api import Answer, Query

MOST_NUMBER: Final = 2**31 - 1
"""No version has a number above it."""


class Version(Answer):
    """What is told of a version in a list; ``actor`` is the beginning of a token, or ``web``."""

    version: int
    hash: str
    actor: str
    summary: str
    created_at: datetime


class VersionList(Answer):
    """``GET /api/teams/{token}/versions``, the newest first."""

    versions: list[Version]


class TeamQuery(Query):
    """Which of several teams is meant."""

    team_id: str | None = None


class VersionQuery(TeamQuery):
    """Which versions: so many, of those before a number if one is given."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    before: Annotated[int, Field(ge=1, le=MOST_NUMBER)] = MOST_NUMBER


@dataclass(frozen=True, slots=True, repr=False)
class Kept:
    """What a team was, as it is stored: three JSON arrays and two texts."""

    name: str
    members: str
    skills: str
    platforms: str
    knowledge: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be brought back.

    Attributes:
        version: its number.
        team_id: of which team, if that was said.
        base_hash: of the state that the writer knew, if that was said.
    """

    version: int
    team_id: str | None
    base_hash: str | None


@dataclass(frozen=True, slots=True)
class Keeping:
    """How many versions of a team are kept: ``newest`` at any age, ``most`` for some days."""

    newest: int
    most: int
    days: int
