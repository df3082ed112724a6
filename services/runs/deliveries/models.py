"""Notifications that are owed, and what became of trying to deliver one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PREFIX: Final = "dlv_"


@dataclass(frozen=True, slots=True)
class Owed:
    """A notification in the hands of one courier.

    Attributes:
        id: the same over all attempts.
        channel: one of ``integrations.models.CHANNELS``.
        attempt: its number, from 1; whoever takes the notification next has a higher one.
    """

    org_id: str
    id: str
    run_id: str
    channel: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt.

    Attributes:
        reason: why it failed, in our own words; empty where it was delivered.
        delay_s: seconds until the next attempt; None where there is none.
    """

    reason: str = ""
    delay_s: float | None = None
