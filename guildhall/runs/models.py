"""What is to be run, how, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from services.runs.engine.grammar.models import Suite

Tell = Callable[[Mapping[str, Any]], None]
"""Takes an event of section 8.1 as it happens."""


@dataclass(frozen=True, slots=True, repr=False)
class SuiteFile:
    """A suite to be run.

    Attributes:
        path: of its file, as the caller named it.
        text: what stands there.
        suite: what that means.
        cases: ids of those to be run, with what they depend on; None: all.
        folder: its own below the place of reports; empty where there is one suite only.
    """

    path: Path
    text: str
    suite: Suite
    cases: tuple[str, ...] | None = None
    folder: str = ""

    @property
    def file(self) -> str:
        """Its file's name."""
        return self.path.name


@dataclass(frozen=True, slots=True)
class Wishes:
    """How suites are to be run.

    Attributes:
        is_headed: whether somebody wants to see the browser.
        file_issues: where failures are filed, as ``POST /runs`` takes it; None: as the installation
            says.
        git_sha, ci_url: of the job that this is part of; shown in reports.
        is_ci: whether it is a job at all.
    """

    is_headed: bool = False
    file_issues: str | None = None
    git_sha: str = ""
    ci_url: str = ""
    is_ci: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the run of a suite ended.

    Attributes:
        suite: which.
        status: of the run: ``passed``, ``failed``, ``broken``, ``cancelled`` or ``interrupted``.
        report: of section 8.3.
        reason: why it did not come to its end, for people.
        secrets: what was masked in the report, for whoever adds to it; None where that is unknown.
    """

    suite: SuiteFile
    status: str
    report: Mapping[str, Any]
    reason: str = ""
    secrets: tuple[str, ...] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Halt:
    """Whether somebody wants everything to end.

    Attributes:
        asked: set by the first Ctrl-C: runs are cancelled, and what is known is reported.
        signals: those that came, oldest first.
    """

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    signals: list[int] = field(default_factory=list)


class Keeper(Protocol):
    """Where files of one run are kept."""

    async def put(self, path: str, source: bytes | AsyncIterator[bytes]) -> None:
        """Keep a file under a path of the run's.

        Raises:
            ValueError: no file can be called so, or there is no more room.
            OSError: it cannot be written.
        """


class Runner(Protocol):
    """Whoever executes suites."""

    async def run(self, suite: SuiteFile, tell: Tell, keeper: Keeper) -> Outcome:
        """Execute one suite; what happens is told, files are kept.

        Raises:
            Failure: it cannot be begun, and a person can mend that.
        """
