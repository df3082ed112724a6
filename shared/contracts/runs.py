"""The events that runs says."""

from __future__ import annotations

from typing import ClassVar

from shared.bus import Event


class RunsEvent(Event):
    """Base of runs' events."""

    publisher: ClassVar[str] = "runs"


class IssueClosed(RunsEvent):
    """An issue that test runs had opened was closed; ``version`` rises with each change of it."""

    kind: ClassVar[str] = "issue.closed.v1"
    org_id: str
    issue_id: str
    title: str
    fingerprint: str
    suite: str = ""
    resolution: str = ""
    root_cause: str = ""
    """What had gone wrong, found out; empty where nobody did."""
    evidence: tuple[str, ...] = ()
    """Addresses of artifacts, failed requests, log lines."""
    version: int


class ErasureCompleted(RunsEvent):
    """Runs holds nothing of an erased account any more."""

    kind: ClassVar[str] = "erasure.completed.v1"
    account_id: str
    service: str = "runs"
