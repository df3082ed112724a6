"""The events that runs says."""

from __future__ import annotations

from typing import ClassVar

from shared.bus import Event


class RunsEvent(Event):
    """Base of runs' events."""

    publisher: ClassVar[str] = "runs"


class RunQueued(RunsEvent):
    """A run waits for its turn; ``suite`` is a file name. Said once more when it is tried again."""

    kind: ClassVar[str] = "run.queued.v1"
    org_id: str
    run_id: str
    suite: str
    suite_id: str
    trigger: str
    plan_id: str | None = None
    attempt: int


class RunStarted(RunsEvent):
    """A worker executes a run."""

    kind: ClassVar[str] = "run.started.v1"
    org_id: str
    run_id: str
    suite: str
    suite_id: str
    trigger: str
    plan_id: str | None = None
    attempt: int


class RunFinished(RunsEvent):
    """A run has ended, and will not go on: said once of each.

    ``status`` is passed, failed, broken, cancelled or interrupted; the numbers are of its cases.
    """

    kind: ClassVar[str] = "run.finished.v1"
    org_id: str
    run_id: str
    suite: str
    suite_id: str
    trigger: str
    plan_id: str | None = None
    attempt: int
    status: str
    total: int = 0
    passed: int = 0
    failed: int = 0
    broken: int = 0
    skipped: int = 0


class RunProgressed(RunsEvent):
    """Something happened in a run that those who follow it will want to read; said often.

    ``is_cancelling``: somebody wants it to end, which its worker is to look after.
    """

    kind: ClassVar[str] = "run.progressed.v1"
    org_id: str
    run_id: str
    is_cancelling: bool = False


class ErrandQueued(RunsEvent):
    """A job of a browser that is no run waits for a worker."""

    kind: ClassVar[str] = "errand.queued.v1"
    org_id: str
    errand_id: str


class ErrandEnded(RunsEvent):
    """A job of a browser that is no run has ended, or (``running``) is to end at once.

    ``status`` is running, done, failed or cancelled.
    """

    kind: ClassVar[str] = "errand.ended.v1"
    org_id: str
    errand_id: str
    status: str


class IssueOpened(RunsEvent):
    """A run found a failure that nobody had seen; ``suite`` and ``case`` are ids in its text."""

    kind: ClassVar[str] = "issue.opened.v1"
    org_id: str
    issue_id: str
    run_id: str
    suite: str
    case: str
    title: str
    fingerprint: str
    severity: str
    version: int


class IssueRecurred(RunsEvent):
    """A run found a failure that has its issue; ``reopened``: that had been closed."""

    kind: ClassVar[str] = "issue.recurred.v1"
    org_id: str
    issue_id: str
    run_id: str
    suite: str
    case: str
    title: str
    fingerprint: str
    severity: str
    occurrences: int
    reopened: bool = False
    version: int


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


class SettingsChanged(RunsEvent):
    """Somebody stored or cleared settings of an organization: their names, never their values."""

    kind: ClassVar[str] = "settings.changed.v1"
    org_id: str
    account_id: str
    written: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()


class ErasureCompleted(RunsEvent):
    """Runs holds nothing of an erased account any more."""

    kind: ClassVar[str] = "erasure.completed.v1"
    account_id: str
    service: str = "runs"
