"""The events that teams says."""

from __future__ import annotations

from typing import ClassVar

from shared.bus import Event


class TeamsEvent(Event):
    """Base of teams' events."""

    publisher: ClassVar[str] = "teams"


class ErasureCompleted(TeamsEvent):
    """Teams holds nothing of an erased account any more."""

    kind: ClassVar[str] = "erasure.completed.v1"
    account_id: str
    service: str = "teams"
