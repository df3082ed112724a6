"""Invitations as they are told and listed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.teams.teams.models import Team
from shared.api import Answer


class InviteAnswer(Answer):
    """``POST /api/teams/invite``; the time in UTC, whole seconds, with ``Z``."""

    invite_code: str
    expires_at: str


@dataclass(frozen=True, slots=True, repr=False)
class NewInvite:
    """An invitation as it is told once: only a digest of the code is stored."""

    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Invite:
    """An invitation as it is listed.

    Attributes:
        id: a UUID.
        hint: how its code begins.
        made_by: the first 12 characters of a token, or ``web``.
        max_uses: how many machines it admits; None for any number.
        uses: machines that came by it, also those that have left.
        created_at: when it was made.
        expires_at: until when it holds.
    """

    id: str
    hint: str
    made_by: str
    max_uses: int | None
    uses: int
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Door:
    """What a code opens: an invitation and its team, who made it and until when it holds."""

    invite_id: str
    team_id: str
    made_by: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """What somebody wants of an invitation: for how many hours, for how many machines."""

    hours: int
    max_uses: int | None


@dataclass(frozen=True, slots=True, repr=False)
class Invited:
    """What an invitation is shown as: its team, without souls and knowledge, and the rest.

    Attributes:
        team: the row; it is for whoever shows it to leave these out.
        made_by: the first 12 characters of a token, or ``web``.
        expires_at: until when it holds.
    """

    team: Team
    made_by: str
    expires_at: datetime
