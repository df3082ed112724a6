"""What mail is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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
