"""What goes through a session's stream (agents contract, section 4.6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.api import Query

DELETED: Final = "DELETED"
"""Stands where a state does, when the session was deleted."""


class EventQuery(Query):
    """After which event a stream starts; the header ``Last-Event-ID`` comes before it."""

    last_event_id: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened.

    Attributes:
        number: its place in the session.
        size: bytes of the text that comes with it.
        state: that the session went to, or ``DELETED``; None of a message.
        reason: with it.
        at: when; None of a message.
    """

    number: int
    size: int
    state: str | None
    reason: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Steps:
    """What follows a number, in order.

    Attributes:
        session_name: as it is now.
        steps: of the page.
        waits: whether more follow.
    """

    session_name: str
    steps: list[Step]
    waits: bool
