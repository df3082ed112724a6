"""Runs on the wire (runs contract, section 3.4)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from services.runs.runs.models.rows import RunRow, Status, Trigger
from services.runs.suites.models import Time
from shared.api import Answer, Body, Query
from shared.pagination import OffsetQuery

MOST_JOBS: Final = 200
MOST_CASES: Final = 10_000
MOST_VARIABLES: Final = 100
LONGEST_VALUE: Final = 10_000

Name = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Word = Annotated[str, StringConstraints(max_length=200)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Value = Annotated[str, StringConstraints(max_length=LONGEST_VALUE)]
Cases = Annotated[list[Name], Field(max_length=MOST_CASES)]
Tags = Annotated[list[Name], Field(max_length=100)]
Variables = Annotated[dict[VariableName, Value], Field(max_length=MOST_VARIABLES)]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("value_error", "is too far away") from None


Since = Annotated[datetime, AfterValidator(_in_utc)]


class Job(Body):
    """One run of the queue form."""

    suite: Name
    cases: Cases | None = None


class RunRequest(Body):
    """``POST /runs``: one suite, or ``jobs``."""

    suite: Name | None = None
    cases: Cases | None = None
    jobs: Annotated[list[Job], Field(min_length=1, max_length=MOST_JOBS)] | None = None
    tags: Tags | None = None
    file_issues: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        None, description="tripwire, github, gitlab, jira, separated by commas; or none."
    )
    headed: StrictBool | None = None
    sharded: StrictBool | None = None
    env: Variables | None = None
    trigger: Literal["api", "ci", "mcp"] | None = None
    git_sha: Word | None = None
    ci_url: Annotated[str, StringConstraints(max_length=2000)] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> RunRequest:
        if (self.suite is None) == (self.jobs is None):
            raise PydanticCustomError("missing", "say either suite or jobs")
        if self.jobs is not None and self.cases is not None:
            raise PydanticCustomError("value_error", "cases stand in each of jobs")
        return self

    def wanted(self) -> list[Job]:
        """Give what is to be run, whichever form was used."""
        if self.jobs is not None:
            return self.jobs
        assert self.suite is not None  # the validator saw to it
        return [Job(suite=self.suite, cases=self.cases)]


class Rerun(Body):
    """``POST /runs/{id}/rerun``."""

    failed_only: StrictBool | None = None


class Queued(Answer):
    """What was queued; ``run_id`` is the first of ``run_ids``."""

    run_id: str
    run_ids: list[str]
    queued: int


class RunItem(Answer):
    """A run as lists show it; ``suite`` is a file name."""

    id: str
    run_id: str
    suite: str
    suite_id: str
    cases: list[str] | None
    status: Status
    summary: dict[str, Any] | None
    queued_at: Time
    started_at: Time | None
    finished_at: Time | None
    trigger: str
    plan_id: str | None
    attempt: int

    @classmethod
    def of(cls, row: RunRow) -> RunItem:
        """Show a row."""
        return cls(
            id=row.id,
            run_id=row.id,
            suite=row.file,
            suite_id=row.suite_id,
            cases=None if row.cases is None else list(row.cases),
            status=row.status,
            summary=None if row.summary is None else dict(row.summary),
            queued_at=row.queued_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
            trigger=row.trigger,
            plan_id=row.plan_id,
            attempt=row.attempt,
        )


class RunDetail(RunItem):
    """A run with what happened in it; ``report`` is null until there is one."""

    events: list[dict[str, Any]]
    report: dict[str, Any] | None


class CancelledRun(RunItem):
    """A run that was asked to end."""


class QueuedRun(Answer):
    """A run that is executed."""

    id: str
    suite: str


class WaitingRun(QueuedRun):
    """A run that waits; ``cases`` is null for all."""

    cases: list[str] | None


class Queue(Answer):
    """``GET /runs/queue``."""

    active: str | None
    active_suite: str | None
    running: list[QueuedRun]
    running_suites: list[str]
    pending: list[WaitingRun]
    busy: bool


class RunQuery(OffsetQuery):
    """Which runs to list; ``suite`` is a file name, ``since`` the earliest ``queued_at``."""

    status: Status | None = None
    suite: Name | None = None
    plan_id: Name | None = None
    trigger: Trigger | None = None
    tag: Name | None = None
    since: Since | None = None


class SinceQuery(Query):
    """``since``: only events after this number."""

    since: Annotated[int | None, Field(ge=0, le=10**18)] = None


class CompareQuery(Query):
    """With which other run."""

    other: Name = Field(alias="with")


class CaseChange(Answer):
    """A case that went otherwise than in the other run.

    ``changes`` holds verdict, duration, resolution, added or removed; ``before`` is of the other
    run, ``after`` of this one.
    """

    id: str
    title: str
    changes: list[str]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Comparison(Answer):
    """``GET /runs/{id}/compare``; ``with`` is the other run."""

    run_id: str
    other: str = Field(serialization_alias="with")
    same: int
    cases: list[CaseChange]


class Done(Answer):
    """It was done."""

    ok: Literal[True] = True
