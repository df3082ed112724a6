"""Sessions in rows and in hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

HOLD_S: Final = 1.0
"""Seconds after a USER message before which lists, counts and states know nothing of its reply.

One client counts the messages right after it posted, and waits for one more (section 6, delay).
"""

JobKind = Literal[
    "create_session", "stop_session", "reactivate_session", "destroy_session", "run_turn"
]


class State(StrEnum):
    """Where a session stands."""

    INIT = "INIT"
    READY = "READY"
    IDLE = "IDLE"
    BUSY = "BUSY"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Session:
    """A row of ``agents.session`` without what only its provider reads.

    Attributes:
        state: as everybody sees it: BUSY also while the reply that ended the turn is held back.
        stored: as the row says; moves are compared with it.
        metadata: JSON as sent.
        number: of its newest message, state change or job.
    """

    id: UUID
    namespace: str
    name: str
    starting_prompt: str
    state: State
    stored: State
    waiting_timeout_seconds: int | None
    container_id: str | None
    persistent_volume_id: str | None
    owner_type: str
    owner_id: str
    created_by: str
    parent_session_id: UUID | None
    is_space: bool
    metadata: str
    number: int
    created_at: datetime
    started_at: datetime | None
    last_activity_at: datetime | None
    terminated_at: datetime | None
    termination_reason: str | None


@dataclass(frozen=True, slots=True)
class Move:
    """One move of the state machine.

    Attributes:
        to: where.
        reason: kept with ERROR only.
        container_id: the runner's, None to leave it.
        persistent_volume_id: None to leave it.
    """

    to: State
    reason: str | None = None
    container_id: str | None = None
    persistent_volume_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to be made.

    Attributes:
        waiting_timeout_seconds: None for never.
        metadata: JSON.
    """

    id: UUID
    namespace: str
    name: str
    starting_prompt: str
    waiting_timeout_seconds: int | None
    owner_type: str
    owner_id: str
    created_by: str
    parent_session_id: UUID | None
    is_space: bool
    metadata: str


@dataclass(frozen=True, slots=True)
class Filters:
    """Which sessions a list shows; None is any.

    Attributes:
        owner: type and id.
        created_by: what the owner is called.
        namespaces: of any of these.
        state: as everybody sees it.
    """

    owner: tuple[str, str] | None
    created_by: str | None
    namespaces: Sequence[str] | None
    state: State | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A session with its agents, as an answer shows them.

    Attributes:
        agents: a JSON array of ``SessionAgent``, in the session's order.
    """

    session: Session
    agents: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a page: ``shown`` is None where the page was too large to be read at once."""

    id: UUID
    size: int
    shown: Shown | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A page.

    Attributes:
        body: the JSON array, in pieces where it is large.
        shown: items in it.
        total: items over all pages, counted up to a cap.
    """

    body: bytes | AsyncIterator[bytes]
    shown: int
    total: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """An agent of a session; ``active`` is false once it was deleted."""

    id: UUID
    name: str
    model: str
    active: bool
