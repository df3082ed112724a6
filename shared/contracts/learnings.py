"""The events that learnings says."""

from __future__ import annotations

from typing import ClassVar

from shared.bus import Event


class LearningsEvent(Event):
    """Base of learnings' events."""

    publisher: ClassVar[str] = "learnings"


class LearningRecorded(LearningsEvent):
    """A learning was recorded in an organization."""

    kind: ClassVar[str] = "learning.recorded.v1"
    org_id: str
    learning_id: str
    summary: str
    version: int = 1


class LearningChanged(LearningsEvent):
    """A learning's content or status changed; ``version`` rises with each change."""

    kind: ClassVar[str] = "learning.changed.v1"
    org_id: str
    learning_id: str
    status: str
    version: int


class ErasureCompleted(LearningsEvent):
    """Learnings holds nothing of an erased account any more."""

    kind: ClassVar[str] = "erasure.completed.v1"
    account_id: str
    service: str = "learnings"
