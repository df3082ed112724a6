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


class LearningRetired(LearningsEvent):
    """A learning no longer holds: its status left ``active`` and ``resolved``."""

    kind: ClassVar[str] = "learning.retired.v1"
    org_id: str
    learning_id: str
    status: str
    version: int


class InstallationSeen(LearningsEvent):
    """A client was seen for the first time in an organization."""

    kind: ClassVar[str] = "installation.seen.v1"
    org_id: str
    installation_id: str
    project: str


class ReleasePublished(LearningsEvent):
    """A release of the client was published, for all organizations."""

    kind: ClassVar[str] = "release.published.v1"
    version: str
    channel: str


class ErasureCompleted(LearningsEvent):
    """Learnings holds nothing of an erased account any more."""

    kind: ClassVar[str] = "erasure.completed.v1"
    account_id: str
    service: str = "learnings"
