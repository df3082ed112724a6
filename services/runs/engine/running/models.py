"""What a run needs from outside, and how it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from services.runs.engine.grammar.models import Login

STEP_SECONDS: Final = 60.0
"""For one step, whatever it does (contract 7.2)."""

CASES_AT_ONCE: Final = 3
"""Groups of cases that run side by side where a run is sharded."""


class Cancelled(Exception):
    """The run is to end before its next action."""


class Outlet(Protocol):
    """Where a run's events, files and lessons go, and who may end it."""

    def check(self) -> None:
        """Ask before each action whether it may be done.

        Raises:
            Cancelled: the run is to end.
        """

    async def cancelled(self) -> None:
        """Wait until the run is to end."""

    async def say(self, event: Mapping[str, Any]) -> None:
        """Say a masked event (contract 8.1); its keeper numbers it."""

    async def store(self, path: str, source: Path) -> None:
        """Give a file away, to be kept as ``path`` among the run's artifacts."""

    async def keep(
        self,
        case_id: str,
        entries: tuple[Mapping[str, Any], ...],
        heals: tuple[Mapping[str, Any], ...],
    ) -> None:
        """Give what a case that passed has taught (contract 10)."""

    async def report(self, report: Mapping[str, Any]) -> None:
        """Give the report as far as it goes."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is to be run.

    Attributes:
        run_id: of the run.
        attempt: from 1 on.
        file: the suite's file name.
        text: the suite.
        cases: those to run, with their dependencies; None: all.
        environment: of the process, as far as suites may read it.
        variables: given with the run; they win over ``env:``.
        account: logged in before the cases that name none of their own; no templates.
        is_sharded: independent groups of cases may run side by side.
        is_headed: whether a person sees the browser.
        git_sha, ci_url: shown in the report.
        entries: the resolution cache.
        refused: targets that a person has refused.
        keeps: whether new resolutions are wanted.
        scratch: a folder of the run's own.
        seconds: for all of it.
    """

    run_id: str
    attempt: int
    file: str
    text: str
    cases: Sequence[str] | None
    scratch: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    account: Login | None = None
    is_sharded: bool = False
    is_headed: bool = False
    git_sha: str = ""
    ci_url: str = ""
    entries: Sequence[Mapping[str, Any]] = ()
    refused: Sequence[Mapping[str, Any]] = ()
    keeps: bool = True
    seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended.

    Attributes:
        status: of the run.
        report: the whole, masked (contract 8.3).
        reason: for people, where it was interrupted.
        secrets: what was masked in the report, for whoever adds to it.
    """

    status: str
    report: Mapping[str, Any]
    reason: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)
