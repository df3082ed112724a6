"""The events that runs says."""

from __future__ import annotations

from typing import ClassVar

from shared.bus import Event


class RunsEvent(Event):
    """Base of runs' events."""

    publisher: ClassVar[str] = "runs"


class ErasureCompleted(RunsEvent):
    """Runs holds nothing of an erased account any more."""

    kind: ClassVar[str] = "erasure.completed.v1"
    account_id: str
    service: str = "runs"
