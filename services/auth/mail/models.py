"""What mail is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

NOBODY: Final = ""
"""The recipient of a letter that is queued and dropped.

Where an answer must not tell whether an address is known, it must not take longer for one that is:
the letter to nobody is written like any other.
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail to one person, as text and, where its template has one, as HTML."""

    recipient: str
    subject: str
    body: str
    html: str | None = None


@dataclass(frozen=True, slots=True)
class DueLetter:
    """A letter taken from the queue for one attempt; ``attempts`` counts this one."""

    id: int
    letter: Letter
    attempts: int
    created_at: datetime
