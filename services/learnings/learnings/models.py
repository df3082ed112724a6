"""What goes in and out of the learnings routes (learnings surface, sections 4, 4.1 and 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, StringConstraints

from services.learnings.settings import LearningsSettings
from shared.api import Answer, Body
from shared.pagination import PageQuery

TEXT_LIMIT: Final = 65_536
"""Characters of a summary, and of a detail."""

NAME_LIMIT: Final = 200
"""Characters of a tag or of any name: what is indexed must fit an index page."""

TAG_LIMIT: Final = 200
"""Tags of one learning."""


class Status(StrEnum):
    """Where a learning stands in its life."""

    ACTIVE = "active"
    RESOLVED = "resolved"
    OBSOLETE = "obsolete"
    OBSOLETE_POISONED = "obsolete_poisoned"
    ARCHIVED = "archived"


LIVE: Final = frozenset({Status.ACTIVE, Status.RESOLVED})
"""The statuses of a learning that holds."""

Tier: TypeAlias = Literal["team", "company"]
CameBy: TypeAlias = Literal["post", "push", "event"]


def _clean_tags(tags: list[str]) -> list[str]:
    """Drop blanks and repeats, keep the order."""
    kept = list(dict.fromkeys(stripped for tag in tags if (stripped := tag.strip())))
    if len(kept) > TAG_LIMIT:
        raise ValueError(f"must have at most {TAG_LIMIT} tags")
    return kept


def _null_as_empty(value: object) -> object:
    return "" if value is None else value


def _in_utc(value: datetime) -> datetime:
    """Read a time without a zone as UTC, and keep to the years that PostgreSQL shares."""
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999") from None


Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=NAME_LIMIT)]
Summary = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_LIMIT)
]
Detail = Annotated[str, Field(max_length=TEXT_LIMIT), BeforeValidator(_null_as_empty)]
Tags = Annotated[list[Annotated[str, Field(max_length=NAME_LIMIT)]], AfterValidator(_clean_tags)]
Impact = Annotated[float, Field(strict=True, ge=0, le=1)]
Clock = Annotated[
    dict[str, Annotated[int, Field(strict=True, ge=0, lt=2**63)]], Field(max_length=1000)
]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=NAME_LIMIT)], Annotated[str, Field(max_length=10_000)]],
    Field(max_length=200),
]

_ABSENT: Final[Any] = Field(default_factory=lambda: None)


class Extra(Body):
    """Fields that are stored and shown as they were sent (section 5.1, "optional")."""

    expires: Name | None = None
    valid_from: Name | None = None
    invalid_from: Name | None = None
    invalidated_by: Name | None = None
    confidence: Name | None = None
    evidence_level: Name | None = None
    assertions: list[JsonValue] | None = None
    anchors: Annotated[list[JsonValue], Field(max_length=3)] | None = None
    protection_tier: Name | None = None
    nudge_line: Annotated[str, Field(max_length=80)] | None = None
    domain: Annotated[list[Name], Field(max_length=20)] | None = None
    phase_affinity: Annotated[list[Name], Field(max_length=6)] | None = None
    source: Name | None = None
    client_profile: Name | None = None
    model_id: Name | None = None


class NewLearning(Extra):
    """The body of POST learnings; old clients' ``embedding`` is ignored as unknown fields are."""

    summary: Summary
    detail: Detail = ""
    tags: Tags = []
    impact: Impact = 0.5
    status: Status = Status.ACTIVE
    type: Name = "pattern"
    source_project: Name | None = None
    source_learning_id: Name | None = None
    client_id: Name | None = None
    vector_clock: Clock = {}
    metadata: Metadata = {}
    sync_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class LearningChange(Body):
    """The body of PATCH learnings/{id}: any of these, at least one."""

    # No default is ever used: what was not sent stays as it is.
    status: Status = _ABSENT
    tags: Tags = _ABSENT
    summary: Summary = _ABSENT
    detail: Detail = _ABSENT
    impact: Impact = _ABSENT
    tier: Tier = _ABSENT


class LearningQuery(PageQuery):
    """The filters and the order of the list."""

    status: Status | None = None
    tag: list[Name] = Field([], max_length=20, description="Repeated: all of them.")
    q: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)] = ""
    min_impact: Annotated[float, Field(ge=0, le=1)] | None = None
    source_project: Name | None = None
    origin_project: Name | None = None
    type: Name | None = None
    sort: Literal["-created_at", "impact"] = Field(
        "-created_at", description="Newest first, or highest impact first."
    )
    updated_since: Annotated[datetime, AfterValidator(_in_utc)] | None = None
    include_duplicates: bool = Field(
        False, description="Show those too that say the same as another."
    )


class Learning(Answer):
    """A learning as it is shown; beside these, the optional fields that were sent."""

    id: str
    summary: str
    detail: str
    tags: list[str]
    impact: float
    status: Status
    type: str
    tier: Tier
    source_project: str | None
    source_learning_id: str | None
    origin_project: str | None
    client_id: str | None
    vector_clock: dict[str, int]
    metadata: dict[str, str]
    sync_hash: str | None
    sync_seq: int
    duplicate_of: str | None
    similar_to: str | None
    superseded_by: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class LearningPage(Answer):
    """One page of the list."""

    items: list[Learning]
    total: int
    page: int
    page_size: int


@dataclass(frozen=True, slots=True)
class Author:
    """Whose writing it is: the tenant, the credential, the account behind it."""

    org_id: str
    subject: str
    account_id: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a writer says of a learning, and what a later writing may change."""

    summary: str
    detail: str
    tags: list[str]
    impact: float
    status: str
    type: str
    source_project: str | None
    origin_project: str | None
    client_id: str | None
    vector_clock: Mapping[str, int]
    metadata: Mapping[str, str]
    sync_hash: str | None
    extra: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One learning as a writer sends it, to be recorded or brought up to date.

    Attributes:
        content: as it was sent: neither redacted nor, where no ``sync_hash`` came, hashed.
        origin: the installation, else the key or person (section 6.2).
        source_id: the writer's own id, which with the origin is the natural key.
        came_by: the way it came.
        client_seq: the writer's own count of writes to it, where it keeps one.
    """

    content: Content
    origin: str
    source_id: str | None
    came_by: CameBy = "push"
    client_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an entry; ``id`` is the learning's, none where nothing is stored.

    Reasons to skip: ``unchanged``, ``stale``, ``canary``, ``quota``.
    """

    status: Literal["inserted", "updated", "skipped"]
    id: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Likeness:
    """Jaccard likeness of trigrams from which on two learnings are near duplicates."""

    summary: float = 0.9
    detail: float = 0.8

    @classmethod
    def of(cls, settings: LearningsSettings) -> Self:
        """Take the limits that are set."""
        return cls(settings.similar_summary, settings.similar_detail)


@dataclass(frozen=True, slots=True)
class Prepared:
    """An entry as it can be stored.

    Attributes:
        entry: what was sent; its content is redacted and carries a hash.
        is_canary: whether it is a probe that is stored nowhere (section 6.7).
        text_hash: of the normal form of summary and detail.
        grams: search keys.
        bands: near-duplicate keys.
        server_clock: what the writer had seen of our own counter, 0 for nothing.
    """

    entry: Entry
    is_canary: bool
    text_hash: bytes
    grams: list[int]
    bands: list[int]
    server_clock: int


@dataclass(slots=True)
class Row:
    """A learning in the hands of a transaction that holds its organization's row."""

    id: str
    origin: str
    source_learning_id: str | None
    feed_id: str
    recorded_by: str
    account_id: str
    came_by: CameBy
    client_seq: int | None
    tier: Tier
    content: Content
    text_hash: bytes | None
    grams: list[int]
    bands: list[int]
    duplicate_of: str | None
    similar_to: str | None
    served: bool
    version: int
    server_clock: int
    sync_seq: int
    created_at: datetime

    @property
    def is_live(self) -> bool:
        """Whether it holds: neither obsolete nor archived."""
        return self.content.status in LIVE

    @property
    def stands(self) -> bool:
        """Whether it is in the default lists: no duplicate."""
        return self.duplicate_of is None


@dataclass(frozen=True, slots=True)
class Counters:
    """An organization's counters, and the earliest time for its next learning."""

    learning_count: int
    sequence: int
    next_at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """A learning as JSON that the database wrote, and whether this call made it."""

    json: str
    is_new: bool = False
