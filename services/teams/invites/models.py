"""Invitations as they are told and listed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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
    """What a code opens: an invitation and its team."""

    invite_id: str
    team_id: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What somebody wants of an invitation: for how many hours, for how many machines."""

    hours: int
    max_uses: int | None
