"""An account's teams, in questions and answers (teams contract, sections 1.1 and 8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.api import Answer, Body

MOST_MACHINES = 10_000
"""Of one account, as far as auth asks."""

Token = Annotated[str, Field(max_length=64)]


@dataclass(frozen=True, slots=True)
class Overview:
    """A team as it is listed; ``platforms`` is the stored array."""

    id: str
    name: str
    agent_count: int
    skill_count: int
    platforms: str


@dataclass(frozen=True, slots=True)
class Place:
    """One membership: a machine in a team."""

    team_id: str
    token: str
    scope: str
    project_name: str | None


class TeamsMachine(Answer):
    """One's machine in a team; ``token`` is its beginning."""

    token: str
    name: str
    scope: str
    project_name: str | None
    last_seen_at: datetime | None


class AccountTeam(Answer):
    """A team in ``GET /api/account/teams``.

    ``participants`` are SHA-256 digests of the addresses of those whose machines are members, and
    ``anonymous`` once if there are machines that are linked to no account.
    """

    id: str
    name: str
    agent_count: int
    skill_count: int
    platforms: list[str]
    participants: list[str]
    machines: list[TeamsMachine]


class AccountTeams(Answer):
    """``GET /api/account/teams``."""

    teams: list[AccountTeam]


class Reassociated(Answer):
    """``POST /api/account/reassociate``: how many teams the new machine has come to."""

    reassociated: int


class TokensQuestion(Body):
    """``POST /internal/machines/team-count``."""

    tokens: Annotated[list[Token], Field(max_length=MOST_MACHINES, repr=False)]


class TeamCount(Answer):
    """How many teams some machines have together."""

    team_count: int


class DropQuestion(TokensQuestion):
    """``POST /internal/machines/drop``; ``without_owner`` is an account that is to own no team."""

    without_owner: Annotated[str, Field(max_length=300)] = ""


class Dropped(Answer):
    """How many memberships have ended."""

    dropped: int


class NamedMachine(Body):
    """A machine and what its owner calls it."""

    token: Annotated[Token, Field(repr=False)]
    machine_name: Annotated[str, Field(max_length=300)]


class ExportQuestion(Body):
    """``POST /internal/accounts/export``; ``after`` is what the page before ended with."""

    account_id: Annotated[str, Field(max_length=300)]
    machines: Annotated[list[NamedMachine], Field(max_length=MOST_MACHINES)]
    after: Annotated[str, Field(max_length=36)] | None = None
