"""What goes in and out of a push (learnings contract, section 6.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import Field

from services.learnings.learnings.models import Entry, Extra
from shared.api import Answer, Body
from shared.errors import Fault

MOST_ENTRIES: Final = 500
CLIENT_LIMIT: Final = 128
BODY_LIMIT: Final = 16_000_000
"""Bytes: what 500 entries of the longest texts that clients send come to, twice."""


class PushedLearning(Extra):
    """An entry as clients send it. Everything but the id is repaired rather than refused."""

    source_learning_id: str
    summary: str
    detail: str | None = None
    tags: list[str] | None = None
    impact: float | None = None
    type: str | None = None
    status: str | None = None
    vector_clock: dict[str, int] | None = None
    metadata: dict[str, Any] | None = None
    sync_hash: str | None = Field(None, description="64 lower-case hex digits; else our own.")
    sync_seq: int | None = Field(None, description="The client's own count of writes to it.")


class Push(Body):
    """The body of POST sync/learnings, for the document; it is read entry by entry."""

    entries: list[PushedLearning] = Field(max_length=MOST_ENTRIES)
    client_id: str = ""
    push_seq: int = 0


class Result(Answer):
    """What became of one entry; ``reason`` says why it was skipped, or what was repaired."""

    index: int
    status: Literal["inserted", "updated", "skipped"]
    id: str | None
    reason: str | None = None


class Pushed(Answer):
    """The counts sum to the number of entries; ``errors`` is 0, whatever happens."""

    inserted: int
    updated: int
    skipped: int
    errors: Literal[0] = 0
    results: list[Result]


@dataclass(frozen=True, slots=True)
class Batch:
    """A push as it was understood.

    Attributes:
        client_id: as sent, cut; empty where none was.
        entries: in their order; complete only without faults.
        notes: what was repaired, by index.
        faults: of unusable entries.
        project: the ``origin_project`` that the first entry with one names.
    """

    client_id: str
    entries: Sequence[Entry]
    notes: dict[int, str]
    faults: Sequence[Fault]
    project: str
