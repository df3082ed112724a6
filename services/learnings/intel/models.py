"""What goes in and out of a pull (learnings contract, section 6.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from shared.api import Answer, Query

PAGE_SIZE: Final = 200
"""Rows of one answer."""

PAGE_BYTES: Final = 4_000_000
"""Text after which a page ends although it has room for more rows."""

Cursor = Annotated[int, Field(ge=0, lt=2**63)]
WORD_LIMIT: Final = 128


def _cut(value: object) -> object:
    return value[:WORD_LIMIT] if isinstance(value, str) else value


Word = Annotated[str, BeforeValidator(_cut), Field(max_length=WORD_LIMIT)]
"""What is only noted: too long a one must not end a client's pulls for good."""


class StateQuery(Query):
    """What a client says of itself and of what it has."""

    since_seq: Cursor = 0
    since_company_seq: Cursor = 0
    client_id: Annotated[str, Field(max_length=WORD_LIMIT)] = ""
    model_family: Word = ""
    trw_version: Word = ""
    include_own: Literal["0", "1"] = "0"


class SyncHints(Answer):
    """When to pull again."""

    interval_seconds: int
    significant_updates_available: bool


class FeedRow(Answer):
    """A learning as peers receive it; beside these, the optional fields that were sent."""

    source_learning_id: str
    summary: str
    detail: str
    tags: list[str]
    impact: float
    status: str
    type: str
    vector_clock: dict[str, int]
    metadata: dict[str, str]
    sync_seq: int


class State(Answer):
    """What is new, and how to ask again."""

    etag: str
    sync_hints: SyncHints
    team_learnings: list[FeedRow]
    next_company_seq: int


@dataclass(frozen=True, slots=True)
class Reader:
    """Who pulls, and where it stands.

    Attributes:
        org_id: the tenant.
        key_id: whose policy filters; empty for people.
        own: the origin whose rows are left out; empty for none.
        since: after which team rows it asks.
        company_since: after which company rows it asks.
    """

    org_id: str
    key_id: str
    own: str
    since: int
    company_since: int


@dataclass(frozen=True, slots=True)
class Known:
    """The state that a client has whole, as its entity tag says: nothing newer, nothing sent."""

    high: int
    company_high: int
    revision: int


@dataclass(frozen=True, slots=True)
class Scanned:
    """Up to where rows after a cursor are known to hold nothing for a reader."""

    revision: int
    to: int


@dataclass(frozen=True, slots=True)
class FeedPage:
    """One page as the database gave it.

    Attributes:
        high: the organization's newest number.
        company_high: the newest number of company rows.
        revision: of the key's policy, 0 for none.
        rows: a JSON array as text.
        last: the number of the last team row, or None without one.
        company_last: the same of company rows.
        waits: whether more rows wait behind the page.
    """

    high: int
    company_high: int
    revision: int
    rows: str
    last: int | None
    company_last: int | None
    waits: bool


@dataclass(frozen=True, slots=True)
class Pulled:
    """An answer: its tag, and its body unless nothing is new."""

    etag: str
    body: bytes | None
