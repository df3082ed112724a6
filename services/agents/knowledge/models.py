"""Knowledge bases as agents name them, and what siblings answer (agents contract, section 4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from services.agents.providers.models import Passage
from shared.api import Answer, Body

MOST_BASES: Final = 8
"""Knowledge bases of an agent that are looked at."""

MOST_PASSAGES: Final = 8
"""Passages of one look-up."""

MOST_BYTES: Final = 16_384
"""UTF-8 bytes of all passages together, titles included."""

LONGEST_PASSAGE: Final = 4_096
"""UTF-8 bytes of one passage's text."""

LONGEST_TITLE: Final = 200
"""UTF-8 bytes of a title, and of the name of a source."""

LONGEST_QUESTION: Final = 2_000
"""Characters of a question that are looked at; the search reads no more either."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who posted a message, as the gateway asserted it then.

    Attributes:
        kind: of principal, as in ``shared.principal.Kind``.
        subject: account, API key, service account or external subject.
        org: the organization acted in, if any.
        account: the account behind it, if any.
        session: the login session or API key.
    """

    kind: str
    subject: str
    org: str
    account: str
    session: str


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """What a look-up gave, best first; ``notes`` say to the session's people what it did not."""

    passages: Sequence[Passage] = ()
    notes: Sequence[str] = ()


def _without_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain a NUL character")
    return value


def _one_as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _few(value: int) -> int:
    return min(value, MOST_PASSAGES)


Name = Annotated[str, Field(max_length=200), AfterValidator(_without_nul)]
Status = Literal["active", "resolved", "obsolete", "obsolete_poisoned", "archived"]


class LearningsBase(Body):
    """``{"type": "learnings", …}``: those of the caller's organization that the filters let pass.

    Without a ``query`` the question itself is searched for; a blank one gives the highest impact.
    """

    type: Literal["learnings"]
    tags: Annotated[list[Name], BeforeValidator(_one_as_list), Field(max_length=20)] | None = None
    min_impact: Annotated[float, Field(strict=True, ge=0, le=1)] | None = None
    status: Annotated[list[Status], BeforeValidator(_one_as_list), Field(max_length=5)] | None = (
        None
    )
    source_project: Name | None = None
    origin_project: Name | None = None
    query: (
        Annotated[str, Field(max_length=LONGEST_QUESTION), AfterValidator(_without_nul)] | None
    ) = None
    limit: Annotated[int, Field(strict=True, ge=1), AfterValidator(_few)] = MOST_PASSAGES


class TeamBase(Body):
    """``{"type": "team", "team_id": …}``: the knowledge and the skills of a team."""

    type: Literal["team"]
    team_id: Name


Base: TypeAlias = LearningsBase | TeamBase


@dataclass(frozen=True, slots=True)
class Wanted:
    """A knowledge base that is understood, and its place among all, from 1 on."""

    place: int
    base: Base

    @property
    def name(self) -> str:
        """What it is called in notes."""
        return f"knowledge base {self.place} ({self.base.type})"


class Standing(Answer):
    """What auth says of a session or an API key; all but ``active`` is empty when it is over."""

    active: bool
    kind: str = ""
    role: str = ""
    scopes: tuple[str, ...] = ()


class Excerpt(Answer):
    """The beginning of a learning."""

    summary: str
    detail: str


class Excerpts(Answer):
    """What learnings found, best first."""

    results: list[Excerpt]


class SkillText(Answer):
    """What a team's skill says."""

    id: str
    title: str = ""
    description: str = ""
    body: str = ""


class TeamKnowledge(Answer):
    """What a team knows; ``found`` is false where it is not for the account to know."""

    found: bool
    name: str = ""
    knowledge: str = ""
    skills: list[SkillText] = Field(default_factory=list)
