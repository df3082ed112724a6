"""What the worker has in hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from services.agents.agents.models import Agent
from services.agents.messages.models import TurnInput
from services.agents.providers.models import Usage
from services.agents.sessions.models import JobKind, Session

HISTORY: Final = 10
"""Messages that a provider is told of as context."""

ATTEMPTS: Final = 2
"""Times that a turn is run; the second because whoever ran the first did not come back."""

RUNNER_ATTEMPTS: Final = 3
"""Times that any other job is."""

NOTHING_USED: Final = Usage()

FAILURES: Final = 3
"""Turns that fail in a row before the session is in error."""


class LeaseLost(Exception):
    """The session is not this worker's any more: nothing may be written."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A session in the hands of one worker.

    Attributes:
        worker: the process' name for itself, which no other has or had.
        fence: of the claim; whoever claims the session next has a higher one.
    """

    worker: str
    session_id: UUID
    namespace: str
    fence: int


@dataclass(frozen=True, slots=True)
class Job:
    """A row of ``agents.job``; ``attempts`` counts those that were begun."""

    number: int
    kind: JobKind
    message_number: int | None
    attempts: int


@dataclass(frozen=True, slots=True, repr=False)
class Talk:
    """What a session brings to a turn.

    Attributes:
        agents: those of the session that are active, in its order.
        memory: what the provider gave back last time.
    """

    agents: Sequence[Agent]
    memory: Mapping[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class Turn:
    """A turn that has begun: nothing is locked while it is answered."""

    job: Job
    session: Session
    input: TurnInput
    talk: Talk


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Any other job that has begun.

    Attributes:
        session: None if it is deleted.
        container_id: of the runner that there was.
    """

    job: Job
    session_id: UUID
    session: Session | None
    container_id: str | None


Step: TypeAlias = Turn | Upkeep


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """What is to be written at the end of a turn.

    Attributes:
        memory: None to leave it as it is.
        is_failure: whether it counts towards those in a row.
    """

    role: Literal["AGENT", "SYSTEM"]
    text: str
    agent_id: UUID | None = None
    agent_name: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    usage: Usage = NOTHING_USED
    memory: Mapping[str, Any] | None = None
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A runner that stands; ``volume_id`` is where it keeps its files."""

    runner_id: str
    volume_id: str


@dataclass(frozen=True, slots=True)
class Released:
    """A runner is gone, or the job needed none."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Which runner a session has; None if it says of none."""

    session_id: UUID
    container_id: str | None


@dataclass(frozen=True, slots=True)
class Lingering:
    """A session that stands in a passing state for long.

    Attributes:
        since: when something happened in it.
        is_worked: whether what is to end that state is still open.
    """

    session_id: UUID
    since: datetime
    is_worked: bool


class RunnerFailed(Exception):
    """There is no runner; ``reason`` is fit for the session's people."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


Outcome: TypeAlias = Reply | Prepared | Released | RunnerFailed
