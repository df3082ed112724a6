"""What a session runs in. The port, and the runner that every installation has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol
from uuid import UUID, uuid4

from services.agents.sessions.models import Session
from services.agents.turns.models import Placed, Prepared

RUNNING: Final = "running"
"""The status of a runner that does its work; every other is shown to the session's people."""

PREPARE_SECONDS: Final = 60.0
RELEASE_SECONDS: Final = 30.0


class Runner(Protocol):
    """Prepares what sessions run in. Every method may be called again for the same session.

    Attributes:
        may_fall: whether runners can end by themselves, so that somebody must look.
    """

    may_fall: bool

    async def prepare(self, session: Session) -> Prepared:
        """Make a runner, in place of one that the session may have.

        Raises:
            RunnerFailed: there is none, and nothing of it is left.
        """

    async def release(self, session_id: UUID, container_id: str | None) -> None:
        """Take a session's runner away, if it is there.

        Raises:
            RunnerFailed: it may still be there.
        """

    async def standing(self, placed: Sequence[Placed]) -> Mapping[UUID, str]:
        """Give the status of each session's runner; whoever is not named has none.

        Raises:
            RunnerFailed: it is not known now.
        """


class InProcess:
    """Sessions run in the workers themselves: whichever takes the next turn is the runner."""

    may_fall = False

    async def prepare(self, session: Session) -> Prepared:
        """Give the session a runner's name."""
        return Prepared(f"in-process-{uuid4().hex}", str(session.id))

    async def release(self, session_id: UUID, container_id: str | None) -> None:
        """Leave nothing behind: there was nothing."""

    async def standing(self, placed: Sequence[Placed]) -> Mapping[UUID, str]:
        """Give all as running, because who asks is the runner."""
        return {each.session_id: RUNNING for each in placed}
