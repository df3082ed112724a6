"""What pages read and show. No field of a form is required: a page says itself what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from markupsafe import Markup
from pydantic import Field

from services.teams.exports.models import Finding
from services.teams.people.models import Browser
from services.teams.teams.models import Content, Team
from shared.api import Body, Query

Secret = Annotated[str, Field(repr=False)]


class Nothing(Body):
    """A form of a button alone."""


class ViewQuery(Query):
    """A team's page: the view token, as clients of different age name it, and what was done."""

    vt: Secret = ""
    token: Secret = ""
    view_token: Secret = ""
    done: str = ""

    @property
    def view(self) -> str:
        """The view token, if one is shown."""
        return self.vt or self.token or self.view_token


class VersionsQuery(ViewQuery):
    """Which versions: those before a number."""

    before: str = ""


class InviteQuery(Query):
    """``made`` is set for whoever has just made the invitation."""

    made: str = ""


class NewTeamForm(Body):
    """``POST /new``."""

    name: str = ""
    member: str = ""
    role: str = ""


class NameForm(Body):
    """``POST /teams/{team_id}/name``."""

    name: str = ""


class SharingForm(Body):
    """``POST /teams/{team_id}/sharing``; ``show_souls`` is absent from a form without its tick."""

    visibility: str = ""
    show_souls: str = ""
    edit: str = ""


class InviteForm(Body):
    """``POST /teams/{team_id}/invites``; an empty ``max_uses`` admits any number."""

    hours: str = ""
    max_uses: str = ""


class RevokeForm(Body):
    """``POST /teams/{team_id}/invites/revoke``."""

    invite_id: str = ""


class MachineForm(Body):
    """``POST /teams/{team_id}/machines/remove`` and ``…/readmit``."""

    machine: str = ""


class RollBackForm(Body):
    """``POST /teams/{team_id}/versions``."""

    version: str = ""


class DeleteForm(Body):
    """``POST /teams/{team_id}/delete``; the name is typed again."""

    name: str = ""


class BaseForm(Body):
    """A button under what might have changed: ``base`` is the hash of what its page showed."""

    base: str = ""


class MemberForm(BaseForm):
    """A member, new or changed; ``skills`` are ids with spaces or commas between."""

    name: str = ""
    role: str = ""
    description: str = ""
    soul: str = ""
    skills: str = ""


class SkillForm(BaseForm):
    """A skill, new or changed; ``globs`` stand on lines of their own, ticks are absent if off."""

    id: str = ""
    title: str = ""
    description: str = ""
    body: str = ""
    globs: str = ""
    argument_hint: str = ""
    always_apply: str = ""
    user_invocable: str = ""
    disable_model_invocation: str = ""


@dataclass(frozen=True, slots=True)
class Mine:
    """A team in a person's list.

    Attributes:
        id: of the team.
        name: of the team.
        is_owned: whether the person owns it.
        members: how many.
        skills: how many.
        visibility: ``private`` or ``public``.
        updated_at: when it last changed.
    """

    id: str
    name: str
    is_owned: bool
    members: int
    skills: int
    visibility: str
    updated_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class View:
    """What somebody may see of a team.

    Attributes:
        team: the row.
        content: what it consists of.
        person: who is signed in; None for whoever shows a view token.
        is_owner: whether that person owns it, and may change it.
        token: the view token that was shown; empty for people.
    """

    team: Team
    content: Content
    person: Browser | None = None
    is_owner: bool = False
    token: str = ""

    @property
    def query(self) -> str:
        """What links to other pages of the team carry along."""
        return f"?vt={self.token}" if self.token else ""


@dataclass(frozen=True, slots=True, repr=False)
class Looked:
    """What is made of a team's content for its page: warnings, and knowledge as HTML."""

    findings: Sequence[Finding]
    knowledge: Markup
