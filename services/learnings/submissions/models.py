"""Submissions on the wire and in rows (learnings contract, section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from shared.api import Answer, Body
from shared.pagination import PageQuery

ID_PREFIX: Final = "sub_"

AUTOMATIC: Final = frozenset(
    {"trw_mcp_version", "python_version", "os_platform", "source_identity"}
)
"""Metadata that clients add by themselves, on top of what their users may send."""

OWN_LIMIT: Final = 16

Category = Literal["bugfix", "installation", "feedback", "feature_request", "question", "other"]


def _one_line(value: str) -> str:
    if len(value.splitlines()) > 1:
        raise ValueError("must be one line")
    return value


def _few(value: dict[str, str]) -> dict[str, str]:
    if len(value.keys() - AUTOMATIC) > OWN_LIMIT:
        raise ValueError(f"must have at most {OWN_LIMIT} keys of your own")
    return value


Subject = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_one_line),
]
Address = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=254), AfterValidator(_one_line)
]
Metadata = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_one_line)],
        Annotated[
            str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_one_line)
        ],
    ],
    AfterValidator(_few),
]


class NewSubmission(Body):
    """``POST /v1/submissions``."""

    category: Category
    subject: Subject
    message: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=10, max_length=10_000)
    ]
    metadata: Metadata | None = None
    contact_email: Address | None = None


class SubmissionReceipt(Answer):
    """The only thing that clients read."""

    submission_id: str


class SubmissionQuery(PageQuery):
    """The query of the platform administrators' list."""

    category: Category | None = None


class Submission(Answer):
    """A submission in that list."""

    id: str
    org_id: str
    org_name: str
    category: str
    subject: str
    message: str
    metadata: dict[str, str]
    contact_email: str | None
    principal: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Written:
    """A submission as it is stored, redacted."""

    org_id: str
    id: str
    principal: str
    account_id: str
    category: str
    subject: str
    message: str
    metadata: Mapping[str, object]
    contact_email: str | None
    digest: bytes
