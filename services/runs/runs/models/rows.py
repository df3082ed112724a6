"""Runs as rows, and as a worker has them in hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from services.runs.engine.host.models import Kept


class Status(StrEnum):
    """Where a run stands (section 7.1)."""

    QUEUED = "queued"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "broken"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class Trigger(StrEnum):
    """What asked for a run (section 3.4)."""

    API = "api"
    PLAN = "plan"
    CI = "ci"
    MCP = "mcp"
    RERUN = "rerun"


@dataclass(frozen=True, slots=True)
class Summary:
    """How many cases ended how."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    broken: int = 0
    skipped: int = 0
    flaky: int = 0
    healed: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class NewRun:
    """A run that is to wait for its turn.

    Attributes:
        id: new.
        file, suite_id, suite_name, version: of the suite's text that is to be run.
        cases: ids, with what they depend on; None: all.
        tags: of the cases chosen.
        headed, is_sharded: as asked for.
        file_issues: words separated by commas; None: what the installation says.
        variables: sealed; None where none were given.
        trigger: what asked for it.
        rerun_of: the run that it repeats.
        git_sha, ci_url: for the report.
        created_by: an account.
        plan_id: of the plan that it belongs to.
        in_turn: it waits until the plan's runs in turn before it have ended.
        login: sealed: a test account that is logged in first; None: nobody.
    """

    id: str
    file: str
    suite_id: str
    suite_name: str
    version: int
    cases: tuple[str, ...] | None
    tags: tuple[str, ...]
    headed: bool
    is_sharded: bool
    file_issues: str | None
    variables: bytes | None
    trigger: str
    rerun_of: str | None
    git_sha: str | None
    ci_url: str | None
    created_by: str
    plan_id: str | None = None
    in_turn: bool = False
    login: bytes | None = None


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as it is.

    Attributes:
        seq: the number of its newest event.
    """

    org_id: str
    id: str
    file: str
    suite_id: str
    suite_name: str
    version: int
    cases: Sequence[str] | None
    tags: Sequence[str]
    status: Status
    summary: Mapping[str, Any] | None
    headed: bool
    sharded: bool
    file_issues: str | None
    trigger: str
    plan_id: str | None
    rerun_of: str | None
    git_sha: str | None
    ci_url: str | None
    created_by: str
    attempt: int
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    worker: str | None
    fence: int
    seq: int
    is_cancelling: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A run in the hands of one worker.

    Attributes:
        org_id: whose.
        run_id: which.
        worker: the process' name for itself, which no other has or had.
        fence: of the claim; whoever claims the run next has a higher one.
    """

    org_id: str
    run_id: str
    worker: str
    fence: int


@dataclass(frozen=True, slots=True, repr=False)
class Order:
    """A run that was claimed, with what its worker must know.

    Attributes:
        held: the claim.
        run: its row.
        text: the suite; None where there is none any more.
        variables: given with the run, still sealed.
        login: of a test account, still sealed.
    """

    held: Held
    run: RunRow
    text: str | None
    variables: bytes | None
    login: bytes | None = None


@dataclass(frozen=True, slots=True)
class Renewed:
    """A run that was held on to, or not.

    Attributes:
        is_kept: whether the lease goes on.
        is_cancelling: whether somebody wants the run to end.
    """

    held: Held
    is_kept: bool
    is_cancelling: bool


@dataclass(frozen=True, slots=True, repr=False)
class Finished:
    """How a run ended, as far as its worker knows.

    Attributes:
        status: a final one.
        report: the whole, or as far as it went; None: the one stored before, if any.
        kept: what its cases have taught.
        reason: why it was interrupted, for people.
    """

    status: Status
    report: Mapping[str, Any] | None = None
    kept: Sequence[Kept] = field(default_factory=tuple)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which runs a list shows."""

    status: str | None = None
    file: str | None = None
    plan_id: str | None = None
    trigger: str | None = None
    tag: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Tail:
    """What follows a number in a run.

    Attributes:
        status: of the run.
        events: number, kind and JSON text of each, in order.
        waits: whether more follow at once.
    """

    status: Status
    events: Sequence[tuple[int, str, str]]
    waits: bool
