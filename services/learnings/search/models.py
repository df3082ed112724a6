"""What goes in and out of a search (learnings contract, section 6.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from shared.api import Answer, Body

QUERY_CUT: Final = 2000
"""Characters of a query that are read: clients send whole sentences, and sometimes whole texts."""

DEFAULT_LIMIT: Final = 10

MOST_EXCERPTS: Final = 20
"""Learnings that a sibling service is told of at once."""

Status = Literal["active", "resolved", "obsolete", "obsolete_poisoned", "archived"]
LIVE: Final[tuple[Status, ...]] = ("active", "resolved")


def _one_as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _null_as_default(value: object) -> object:
    return DEFAULT_LIMIT if value is None else value


Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class SearchRequest(Body):
    """The body of POST learnings/search; an ``embedding`` is ignored as unknown fields are."""

    query: str = Field(description="Blank: the highest impact first, then the newest.")
    limit: Annotated[
        int,
        BeforeValidator(_null_as_default, json_schema_input_type=int | None),
        Field(ge=1, le=50),
    ] = DEFAULT_LIMIT
    min_impact: Annotated[float, Field(ge=0, le=1)] | None = None
    tags: (
        Annotated[
            list[Annotated[str, Field(max_length=200)]],
            BeforeValidator(_one_as_list),
            Field(max_length=20, description="All of them."),
        ]
        | None
    ) = None
    type: Name | None = None
    status: Annotated[list[Status], BeforeValidator(_one_as_list), Field(max_length=5)] | None = (
        Field(None, description="One or several; active and resolved if absent.")
    )
    source_project: Name | None = None
    origin_project: Name | None = None


class Item(Answer):
    """One learning that was found."""

    id: str
    memory_id: str = Field(description="The same as id.")
    remote_id: str = Field(description="The same as id.")
    source_learning_id: str | None
    summary: str
    content: str = Field(description="The same as summary.")
    detail: str
    tags: list[str]
    impact: float
    score: float = Field(description="How well it fits: sums of reciprocal ranks.")
    source_project: str | None
    created_at: datetime
    updated_at: datetime
    metadata: dict[str, str]
    expires: str | None
    type: str
    status: Status
    valid_from: str | None
    invalid_from: str | None
    invalidated_by: str | None


class SearchAnswer(Answer):
    """What was found, best first."""

    results: list[Item]


class SearchQuestion(SearchRequest):
    """``POST /internal/search``: what a sibling service looks up for somebody, and where.

    ``key_id`` is the API key that it does so for, if it is one: its policy then holds.
    """

    org_id: Annotated[str, Field(min_length=1, max_length=300)]
    key_id: Annotated[str, Field(max_length=300)] = ""
    limit: Annotated[int, Field(ge=1, le=MOST_EXCERPTS)] = DEFAULT_LIMIT


class Excerpt(Answer):
    """The beginning of a learning that was found."""

    id: str
    summary: str
    detail: str
    tags: list[str]


class Excerpts(Answer):
    """What a sibling service is told, best first."""

    results: list[Excerpt]


@dataclass(frozen=True, slots=True)
class Filters:
    """What a learning must be to be found at all; None and () set no limit."""

    statuses: Sequence[str] = ()
    tags: Sequence[str] = ()
    min_impact: float | None = None
    type: str | None = None
    source_project: str | None = None
    origin_project: str | None = None
    updated_since: datetime | None = None
    expired: bool = True
    """Whether those whose ``expires`` is past are found too."""
    duplicates: bool = False
    """Whether those that say the same as another are found too."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One search: what for, among which, which part of the results, in which order."""

    query: str
    filters: Filters
    offset: int = 0
    limit: int = DEFAULT_LIMIT
    order: Literal["score", "impact", "-created_at"] = "score"


@dataclass(frozen=True, slots=True)
class Found:
    """The ids of one page of results in order, their scores, and how many results there are."""

    ids: Sequence[str] = ()
    scores: Sequence[float] = ()
    total: int = 0


@dataclass(frozen=True, slots=True)
class Term:
    """A word of a query as full text search reads it, and its key in the organization."""

    lexeme: str
    key: int


@dataclass(frozen=True, slots=True)
class Query:
    """What candidates are ranked by.

    Attributes:
        terms: words.
        grams: keys of trigrams.
        weights: of the trigrams, 1 together.
        near: learnings whose vectors are near the query's, the nearest first.
    """

    terms: Sequence[Term]
    grams: Sequence[int]
    weights: Sequence[float]
    near: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Frequencies:
    """In how many of the sampled learnings of an organization a key occurs.

    Attributes:
        rows: learnings of the organization when the sample was drawn.
        sampled: learnings in the sample; 0 for an organization too small to need one.
        words: occurrences by word key, rare ones left out.
        grams: occurrences by trigram or tag key, rare ones left out.
    """

    rows: int
    sampled: int = 0
    words: Mapping[int, int] = field(default_factory=dict)
    grams: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Keys that a candidate has all of, and how many such candidates are read at most."""

    keys: Sequence[int]
    most: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the candidates of a search come from.

    Attributes:
        words: groups of word keys.
        grams: groups of trigram and tag keys.
        wide: whether the window is read even if the groups give enough.
    """

    words: Sequence[Group] = ()
    grams: Sequence[Group] = ()
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """An organization whose learnings are given vectors: after which number, until which."""

    org_id: str
    after: int
    until: int


@dataclass(frozen=True, slots=True)
class Text:
    """What a learning's vector is made of."""

    id: str
    sequence: int
    text: str
    digest: bytes
    is_new: bool
