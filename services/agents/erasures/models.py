"""What is told of sessions that were erased."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Gone:
    """A session that was erased; ``number`` is that of the last thing that happened in it.

    ``was_there`` tells that nobody had deleted it before.
    """

    id: UUID
    namespace: str
    number: int
    was_there: bool
