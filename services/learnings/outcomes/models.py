"""Outcomes on the wire and in rows (learnings contract, section 6.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field

from shared.api import Answer, Body
from shared.pagination import Page, PageQuery

ID_PREFIX: Final = "out_"


class SentOutcome(Body):
    """One element as clients send it; a field of another type counts as absent."""

    session_id: str = ""
    learning_ids: list[str] = Field(default_factory=list)
    propensity_data: dict[str, Any] = Field(default_factory=dict)
    rework_rate: float | None = None
    build_passed: bool | None = None
    tasks_completed: int | None = None
    files_changed: int | None = None
    idempotency_key: Annotated[str, Field(description="64 hex characters")] = ""


class SentOutcomes(Body):
    """``POST /v1/sync/outcomes``, as documented: what is read is more tolerant."""

    outcomes: Annotated[list[SentOutcome], Field(max_length=1000)]
    client_id: str = ""


class RejectedOutcome(Answer):
    """An element that could not be stored, counted as skipped too."""

    index: int
    reason: str


class TakenOutcomes(Answer):
    """How many were stored, and how many were known already or could not be."""

    inserted: int
    skipped: int
    rejected: list[RejectedOutcome]


class OutcomeQuery(PageQuery):
    """The query of the list; ``learning_id`` is a server id."""

    learning_id: Annotated[str | None, Field(max_length=200)] = None


class Outcome(Answer):
    """What came of a piece of work. ``learning_ids`` are as the client sent them."""

    id: str
    client_id: str
    session_id: str
    learning_ids: list[str]
    build_passed: bool | None
    rework_rate: float | None
    tasks_completed: int | None
    files_changed: int | None
    propensity_data: dict[str, Any]
    created_at: datetime


class Score(Answer):
    """How a learning fared: evidence for it, against it, and its smoothed share.

    ``share`` is 0.5 without any evidence.
    """

    helped: float
    not_helped: float
    share: float


class OutcomePage(Page[Outcome]):
    """A page of outcomes, with the score of the learning that was asked for."""

    score: Score | None = None


@dataclass(slots=True)
class Read:
    """One element as it was read and is stored."""

    key: str
    session_id: str
    learning_ids: list[str]
    build_passed: bool | None
    rework_rate: float | None
    tasks_completed: int | None
    files_changed: int | None
    propensity_data: Mapping[str, Any]
    id: str = ""


@dataclass(slots=True)
class Batch:
    """What one request brought."""

    client_id: str
    outcomes: dict[str, Read] = field(default_factory=dict)
    count: int = 0
    rejected: list[RejectedOutcome] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one outcome says of one learning."""

    learning_id: str
    outcome_id: str
    helped: float
    not_helped: float
