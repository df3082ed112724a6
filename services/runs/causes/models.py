"""What is known of a failure, where logs are, and what was found out (runs contract, section 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Category = Literal[
    "backend_error",
    "client_error",
    "network",
    "auth",
    "validation",
    "js_error",
    "ui_missing",
    "timeout",
    "data",
]

MOST_LINES: Final = 200
"""Log lines of one id."""

MOST_EVIDENCE: Final = 5

LONGEST_LINE: Final = 4_000
"""Characters of a log line, its stack trace included, after masking."""

LONGEST_TEXT: Final = 600
"""Characters of a sentence of a cause."""

BACK: Final = 180.0
"""Seconds before a failure in which its lines are looked for."""

AHEAD: Final = 60.0
"""Seconds after it: clocks differ, and a request is noted when it begins."""


class Part(BaseModel):
    """Part of a report, of which only this is looked at."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class SeenStep(Part):
    """A step."""

    id: str = ""
    do: str = ""
    status: str = ""
    error: str | None = None


class SeenAssertion(Part):
    """An expectation."""

    id: str = ""
    claim: str | None = Field(default=None, alias="assert")
    check: Mapping[str, Any] | None = None
    verdict: str = ""
    expected: str | None = None
    observed: str | None = None


class SeenRequest(Part):
    """A request of the page that failed; without a status nothing answered."""

    method: str = ""
    url: str = ""
    status: int | None = None
    trace_id: str | None = None
    request_id: str | None = None
    ts: str | None = None
    error: str | None = None


class SeenWords(Part):
    """What a page wrote to its console as an error, or threw."""

    text: str = ""
    url: str | None = None
    ts: str | None = None


class SeenCase(Part):
    """A case."""

    id: str
    verdict: str | None = None
    attempt: int = 1
    reason: str | None = None
    steps: Sequence[SeenStep] = ()
    assertions: Sequence[SeenAssertion] = ()
    network_errors: Sequence[SeenRequest] = ()
    console_errors: Sequence[SeenWords] = ()


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the tested application's log, with the stack trace that belongs to it.

    Attributes:
        text: what it says; a stack trace on lines of its own.
        level: in lower case, as the line says; empty where it does not.
        at: Unix time, None where it does not say.
    """

    text: str
    level: str = ""
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """Where in the application something went wrong."""

    file: str
    line: int
    function: str = ""

    def __str__(self) -> str:
        """Write it for people."""
        place = f"{self.file}:{self.line}"
        return f"{self.function} ({place})" if self.function else place


@dataclass(frozen=True, slots=True)
class ServerError:
    """What the application's log says of a failure.

    Attributes:
        headline: the message, on one line.
        frame: the deepest of the application's own, if there is a stack trace.
        at: Unix time, if it is known.
    """

    headline: str
    frame: Frame | None = None
    at: float | None = None

    def __str__(self) -> str:
        """Write it for people."""
        return f"{self.headline} at {self.frame}" if self.frame else self.headline


@dataclass(frozen=True, slots=True)
class Question:
    """Which lines are wanted: those with ``trace_id`` between two Unix times."""

    trace_id: str
    since: float
    until: float
    limit: int = MOST_LINES


# Where logs are: exactly one of these.


@dataclass(frozen=True, slots=True)
class Loki:
    """Grafana Loki."""

    url: str
    selector: str


@dataclass(frozen=True, slots=True, repr=False)
class Datadog:
    """Datadog's log search."""

    url: str
    api_key: str
    app_key: str


@dataclass(frozen=True, slots=True, repr=False)
class Elasticsearch:
    """Elasticsearch, or what speaks like it."""

    url: str
    index: str
    api_key: str


@dataclass(frozen=True, slots=True, repr=False)
class HttpLogs:
    """A log service of the organization's own."""

    url: str
    token: str


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file on the worker's machine."""

    path: str


Remote: TypeAlias = Loki | Datadog | Elasticsearch | HttpLogs
Backend: TypeAlias = Remote | LogFile

NAMES: Final[Mapping[type, str]] = {
    Loki: "Loki",
    Datadog: "Datadog",
    Elasticsearch: "Elasticsearch",
    HttpLogs: "The log service",
    LogFile: "The log file",
}


@dataclass(frozen=True, slots=True, repr=False)
class Wanted:
    """A request to a log service."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None


class NoLines(Exception):
    """Lines could not be had. ``reason`` is a sentence of ours, without a stranger's word."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True, repr=False)
class Failed:
    """A run that did not pass, or not wholly.

    Attributes:
        org_id: whose.
        run_id: of the run.
        attempt: of the run, from 1 on.
        report: of section 8.3.
        secrets: what its process masked, by which foreign lines are masked, too; None where that
            is not known, so that no line may be taken over.
    """

    org_id: str
    run_id: str
    attempt: int
    report: Mapping[str, Any]
    secrets: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Explained:
    """A report that says why cases did not pass, and remarks on how that was found out."""

    report: Mapping[str, Any]
    remarks: tuple[str, ...] = ()
