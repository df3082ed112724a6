"""How streams learn at once of what this process has committed in a session.

What other processes commit is heard from the bus, and a little later.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final
from uuid import UUID

_NONE: Final[frozenset[UUID]] = frozenset()
_noted: ContextVar[frozenset[UUID]] = ContextVar("sessions_noted", default=_NONE)


def note(session_id: UUID) -> None:
    """Note in this context that something happens in a session, until the next commit."""
    _noted.set(_noted.get() | {session_id})


def tell(listener: Callable[[str], None]) -> None:
    """Tell of each session noted in this context, by its id; to be called after a commit.

    What was noted for a transaction that failed is told, too: who listens looks for themselves.
    """
    noted = _noted.get()
    if noted:
        _noted.set(_NONE)
        for session_id in noted:
            listener(str(session_id))
