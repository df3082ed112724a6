"""Plans on the wire and in rows (runs contract, section 3.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field, StrictBool, StringConstraints

from services.runs.suites.models import Time
from shared.api import Answer, Body
from shared.pagination import OffsetPage, OffsetQuery

MASK: Final = "••••"
"""Stands for a stored password; sent back, it keeps the one that is stored."""

MOST_ITEMS: Final = 100
MOST_CASES: Final = 10_000

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=300)]
LoginPath = Annotated[str, StringConstraints(max_length=2000, pattern=r"^(/[^/\\\s][^\\\s]*|/)?$")]
"""A path below a suite's ``base_url``: nothing that names another host."""


class PlanItem(Body):
    """A suite by its file name, and which of its cases; null: all."""

    suite: Word
    cases: Annotated[list[Word], Field(min_length=1, max_length=MOST_CASES)] | None = None


class PlanAuth(Body):
    """A test account. The stored password stays if none is sent, or its mask; null removes it."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = Field(
        None, repr=False
    )
    login_path: LoginPath | None = Field(None, description="A path, like /login.")


class PlanRequest(Body):
    """``POST /plans``: a new plan, or with ``id`` all that one is to be from now on.

    What is left out is empty, but for ``auth``, which then stays as it is; null removes it.
    """

    id: Annotated[str, StringConstraints(max_length=200)] | None = None
    name: Name
    description: Annotated[str, StringConstraints(max_length=5000)] | None = None
    items: Annotated[list[PlanItem], Field(min_length=1, max_length=MOST_ITEMS)]
    parallel: StrictBool | None = None
    schedule: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        None, description="Five cron fields: minute, hour, day, month, weekday."
    )
    auth: PlanAuth | None = None


class PlanQuery(OffsetQuery):
    """``GET /plans``; ``q`` is looked for in name, id and the files of its items."""

    q: Annotated[str, StringConstraints(max_length=200)] = ""


class ShownItem(Answer):
    """An item; ``cases`` is null for all."""

    suite: str
    cases: list[str] | None


class ShownAuth(Answer):
    """A test account; ``password`` is a mask, or null where none is stored."""

    username: str
    password: str | None
    login_path: str | None


class Plan(Answer):
    """A plan; ``last_run`` is when it was last run, ``next_run`` when it will be by schedule."""

    id: str
    name: str
    description: str
    items: list[ShownItem]
    parallel: bool
    schedule: str | None
    schedule_error: str | None
    next_run: Time | None
    last_run: Time | None
    last_run_ids: list[str]
    auth: ShownAuth | None
    created_at: Time
    updated_at: Time


PlanPage = OffsetPage[Plan]


class Started(Answer):
    """The runs of a pass, in the order of the plan's items."""

    run_ids: list[str]


class Done(Answer):
    """It was done."""

    ok: Literal[True] = True


@dataclass(frozen=True, slots=True)
class Login:
    """A test account as it is sealed; without a password nobody is logged in."""

    username: str
    password: str | None = field(repr=False)
    login_path: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Timing:
    """When a plan is run by itself.

    Attributes:
        schedule: as it was given; None: never.
        error: what is wrong with it, for people.
        next_run: the boundary that it is armed for.
    """

    schedule: str | None = None
    error: str | None = None
    next_run: datetime | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Draft:
    """What a request says of a plan, as it is stored."""

    name: str
    description: str
    items: str
    parallel: bool
    timing: Timing
    login: bytes | None


@dataclass(frozen=True, slots=True, repr=False)
class PlanRow:
    """A plan as it is stored; ``login`` is sealed."""

    org_id: str
    id: str
    name: str
    description: str
    items: Sequence[tuple[str, Sequence[str] | None]]
    parallel: bool
    schedule: str | None
    schedule_error: str | None
    next_run: datetime | None
    last_run: datetime | None
    last_run_ids: Sequence[str]
    login: bytes | None
    created_at: datetime
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True, repr=False)
class Due:
    """A plan whose boundary has come.

    Attributes:
        plan: as it was read.
        late_s: seconds since the boundary, by the database's clock.
    """

    plan: PlanRow
    late_s: float
