"""Issues on the wire, and what a run says of its failures (runs contract, 3.6, 8.3 and 11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.api import Answer, Body
from shared.pagination import OffsetQuery

KEY_PREFIX: Final = "TW-"
COMMENT_PREFIX: Final = "cmt_"

AUTOMATIC: Final = "guildhall"
"""Who wrote what no person wrote."""

FORGOTTEN: Final = "deleted"
"""Who wrote what a person wrote whose account was erased."""

LONGEST_TITLE: Final = 300
LONGEST_TEXT: Final = 65_536

MOST_COMMENTS: Final = 10_000
"""Of one issue; runs write none from then on, and people are refused."""

SHOWN: Final = 500
"""Comments and activities that an issue is shown with: the newest."""


def key_of(number: int) -> str:
    """Write the key of an issue's number."""
    return f"{KEY_PREFIX}{number}"


Severity = Literal["critical", "high", "medium", "low"]
Status = Literal["open", "closed", "acknowledged"]


# What a run says of its failures: of its report only what issues are made of.


class Part(BaseModel):
    """Part of a report; a newer engine may say more."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class SeenStep(Part):
    """A step of a case."""

    id: str
    do: str = ""
    status: str = ""
    error: str | None = None


class SeenAssertion(Part):
    """An expectation of a case."""

    id: str
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
    error: str | None = None


class SeenShot(Part):
    """A screenshot."""

    label: str = ""
    path: str


class SeenCase(Part):
    """A case as a report has it."""

    id: str
    title: str = ""
    tags: Sequence[str] = ()
    verdict: str | None = None
    flaky: bool = False
    reason: str | None = None
    steps: Sequence[SeenStep] = ()
    assertions: Sequence[SeenAssertion] = ()
    shots: Sequence[SeenShot] = ()
    network_errors: Sequence[SeenRequest] = ()
    root_cause: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A failure that is to be filed: one of a case.

    Attributes:
        case_id: whose.
        fingerprint: by which it is known again.
        title, severity, body: of the issue, if it is a new one; the body is Markdown.
        comment: for the issue, if it is there already; Markdown.
        root_cause: a sentence, or empty.
        evidence: lines that show it.
    """

    case_id: str
    fingerprint: str
    title: str
    severity: Severity
    body: str
    comment: str
    root_cause: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where findings were made."""

    org_id: str
    run_id: str
    suite_id: str
    file: str


@dataclass(frozen=True, slots=True)
class Standing:
    """An issue as filing finds it."""

    number: int
    fingerprint_hash: bytes
    status: Status
    title: str
    severity: Severity
    occurrences: int
    comment_count: int
    version: int


@dataclass(frozen=True, slots=True)
class Filing:
    """Under which issue a case of a run was filed."""

    case_id: str
    number: int
    fingerprint: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Filed:
    """What came of filing, as a report says it.

    Attributes:
        issues_filed: ``{provider, key, url, case_id, created}`` each.
        by_case: ``{id, fingerprint, created}`` by case.
    """

    issues_filed: list[dict[str, Any]]
    by_case: Mapping[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Telling:
    """What other trackers are told of an issue that a run has seen.

    Attributes:
        key: the board's.
        body: as it is now, for trackers that do not have the issue; Markdown.
        comment: on what this run saw, for those that have it; Markdown.
    """

    key: str
    fingerprint: str
    title: str
    severity: Severity
    body: str
    comment: str


# The wire.


class IssueQuery(OffsetQuery):
    """``GET /api/v1/issues``; ``q`` is looked for in number, title, suite, case and file."""

    status: Status | None = None
    q: Annotated[str, Field(max_length=200)] | None = None


class IssueChange(Body):
    """``PATCH /api/v1/issues/{id}``; what is absent or null stays."""

    status: Status | None = None
    title: (
        Annotated[
            str,
            StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_TITLE),
        ]
        | None
    ) = None
    body_md: Annotated[str, Field(max_length=LONGEST_TEXT)] | None = None
    severity: Severity | None = None


class NewComment(Body):
    """``POST /api/v1/issues/{id}/comments``; Markdown."""

    body: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_TEXT)
    ]


class External(Answer):
    """The same issue in somebody else's tracker."""

    provider: str
    key: str
    url: str


class Comment(Answer):
    """A comment; ``author`` is an account, ``guildhall`` of a run, ``deleted`` of nobody now."""

    id: str
    author: str
    body: str
    created_at: datetime


class Activity(Answer):
    """Something that was done with an issue; texts of bodies are left out."""

    ts: datetime
    actor: str
    kind: Literal["opened", "reopened", "status", "title", "body_md", "severity"]
    before: Annotated[str | None, Field(serialization_alias="from")]
    after: Annotated[str | None, Field(serialization_alias="to")]
    run_id: str | None


class IssueItem(Answer):
    """An issue in a list."""

    id: str
    title: str
    severity: Severity
    status: Status
    suite_id: str
    case_id: str
    file: str
    fingerprint: str
    occurrences: int
    first_seen: datetime
    last_seen: datetime
    run_id: str
    external: list[External]
    comment_count: int


class Issue(IssueItem):
    """An issue with all that is shown of it; of many comments and activities the newest 500."""

    body_md: str
    comments: list[Comment]
    activity: list[Activity]


@dataclass(frozen=True, slots=True)
class Editable:
    """What of an issue a person may change, and what its end tells."""

    number: int
    title: str
    severity: Severity
    status: Status
    body_md: str
    suite_id: str
    case_id: str
    file: str
    fingerprint: str
    root_cause: str
    evidence: tuple[str, ...]
    comment_count: int
    version: int
