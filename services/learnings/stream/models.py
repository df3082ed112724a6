"""What goes through a stream (learnings contract, section 6.5)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event: the org sequence, its name, and its data as one line of JSON."""

    sequence: int
    name: str
    data: str


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events in commit order.

    Attributes:
        events: of the page.
        to: the number up to which nothing is missing.
        waits: whether more follow.
    """

    events: list[StreamEvent]
    to: int
    waits: bool
