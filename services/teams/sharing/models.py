"""How a team is shared."""

from __future__ import annotations

from dataclasses import dataclass

from shared.api import Answer


class VisibilityAnswer(Answer):
    """``POST /api/teams/visibility``; a team that was never public has no clone token."""

    visibility: str
    clone_token: str | None


class ViewTokenAnswer(Answer):
    """``POST /api/teams/view-token``; the time in UTC, whole seconds, with ``Z``."""

    view_token: str
    team_id: str
    expires_at: str


@dataclass(frozen=True, slots=True)
class Sharing:
    """What an owner wants of it; None leaves a setting as it is.

    Attributes:
        visibility: ``private`` or ``public``.
        hide_souls: whether a clone is given without souls.
        edit: who may change the team beside its knowledge and tasks: ``members`` or ``owner``.
    """

    visibility: str | None = None
    hide_souls: bool | None = None
    edit: str | None = None
