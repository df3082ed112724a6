"""What telemetry is made of: events as they are stored, and the figures of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import Field

from shared.api import Answer, Body, Query

MOST_EVENTS: Final = 1_000
"""Events of one request at most."""

LONGEST_WORD: Final = 128
"""Characters of a text that has a column; a longer one goes to the payload."""

STEPS: Final = 40
"""Steps of a histogram of durations: below 1 ms, then two to each doubling, the last open."""

COLUMNS: Final = (
    "time",
    "installation_id",
    "event_type",
    "session_id",
    "run_id",
    "framework_version",
    "python_version",
    "os_platform",
    "tool_name",
    "duration_ms",
    "status",
    "error_type",
    "phase",
    "ceremony_score",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "pytest_passed",
    "test_count",
    "coverage_pct",
    "static_checks_passed",
    "mypy_passed",
    "attributes",
    "payload",
)
"""The columns of an event, in the order in which they are written (section 5.2)."""


@dataclass(slots=True)
class Incoming:
    """One event, ready to be stored.

    Attributes:
        row: its values in the order of ``COLUMNS``; a null time is the time of receipt.
        digest: of its id, else of its content, with its installation.
        with_id: whether it has an id of its own.
        pair: what it shares with its other half, if it may have one.
        mate: the place of its other half in the same request.
        keep: whether it is the half that is stored.
        lasting: whether it has a time or id of its own.
    """

    row: list[Any]
    digest: bytes
    with_id: bool
    pair: int | None
    mate: int | None = None
    keep: bool = True
    lasting: bool = True


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request's events, read and put in order.

    Attributes:
        events: none twice.
        repeated: how many stood in the request more than once.
        rejected: the others.
    """

    events: Sequence[Incoming]
    repeated: int
    rejected: Sequence[Rejected]


@dataclass(frozen=True, slots=True)
class Source:
    """Who sends: the organization, and what events without an installation belong to."""

    org_id: str
    fallback: str
    received: datetime


class Rejected(Answer):
    """An element that cannot be stored."""

    index: int
    reason: str


class Taken(Answer):
    """What became of a request's events."""

    accepted: int = Field(description="Stored now, or known already.")
    duplicates: int = Field(description="Of these, known already.")
    rejected: list[Rejected]


class TelemetryEvents(Body):
    """What is sent, for the documentation: any mixture of the shapes that clients know."""

    events: list[dict[str, Any]] = Field(max_length=MOST_EVENTS)


class SummaryQuery(Query):
    """Which figures are asked for."""

    days: int = Field(7, ge=1, le=90, description="Today and the days before it.")
    tool: str | None = Field(None, max_length=LONGEST_WORD, description="One tool only.")
    installation_id: str | None = Field(
        None, min_length=1, max_length=LONGEST_WORD, description="One installation only."
    )


class Totals(Answer):
    """Sums over the period."""

    events: int
    errors: int
    error_rate: float = Field(description="Of the events that tell how they ended.")
    active_installations: int = Field(description="Different ones; whatever the tool.")
    sessions: int = Field(description="Seen for the first time; whatever the tool.")
    input_tokens: int
    output_tokens: int
    cost_usd: float


class ToolFigures(Answer):
    """One tool over the period."""

    tool: str
    calls: int
    errors: int
    error_rate: float
    mean_duration_ms: float | None
    p50_duration_ms: float | None = Field(description="From a histogram; within a fifth.")
    p95_duration_ms: float | None


class DayFigures(Answer):
    """One day, in UTC, by the events' own time."""

    day: str
    events: int
    calls: int
    errors: int
    active_installations: int
    sessions: int
    input_tokens: int
    output_tokens: int
    cost_usd: float


class Summary(Answer):
    """What an organization's clients did."""

    first_day: str
    last_day: str
    totals: Totals
    tools: list[ToolFigures] = Field(description="The 200 that were called most.")
    by_day: list[DayFigures] = Field(description="Oldest first; days without events too.")
