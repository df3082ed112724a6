"""Suites, and what takes the place of a terminal, for tests of ``guildhall runs``."""

from __future__ import annotations

import io
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guildhall.log_lines import Screen as Terminal
from guildhall.runs.alone import Alone
from guildhall.runs.answering import Answers, Baselines
from guildhall.runs.models import Halt, Outcome, SuiteFile, Wishes
from guildhall.runs.settings import AloneSettings
from services.runs.engine.grammar import parse
from services.runs.engine.model.lines import Ask
from services.runs.engine.probes.pictures import Comparer

STAND_IN = (sys.executable, "-P", "-m", "tests.services.runs.child_stand_in")

TWO = """\
suite: Two
id: two
base_url: http://127.0.0.1:9
cases:
  - id: first
    title: The first
    tags: [quick, p0]
    steps: [{do: Open /a}]
  - id: second
    title: The second
    depends_on: first
    tags: [slow]
    steps: [{do: Open /b}]
"""


def suite_file(text: str = TWO, name: str = "two.tripwire.yaml", **more: Any) -> SuiteFile:
    """Make a suite that stands in no file."""
    suite = parse(text).suite
    assert suite is not None
    return SuiteFile(Path(name), text, suite, **more)


def doing(*words: str) -> SuiteFile:
    """Make a suite whose run does that, where the engine's stand-in is started."""
    return suite_file(TWO + "".join(f"# do: {word}\n" for word in words))


def outcome(
    status: str = "passed",
    counts: Mapping[str, int] | None = None,
    *,
    suite: SuiteFile | None = None,
    left: int = 0,
) -> Outcome:
    """Make the end of a run whose cases came to that; ``left`` have no verdict."""
    counts = counts or {}
    total = left + sum(counts.values())
    report = {
        "run_id": "run_1",
        "suite": "Two",
        "suite_id": "two",
        "file": "two.tripwire.yaml",
        "status": status,
        "summary": {"total": total, **counts},
    }
    return Outcome(suite or suite_file(), status, report)


@dataclass
class Kept:
    """Files of a run, in memory."""

    files: dict[str, bytes] = field(default_factory=dict)

    async def put(self, path: str, source: bytes | AsyncIterator[bytes]) -> None:
        """See ``Keeper``."""
        if not isinstance(source, bytes):
            source = b"".join([piece async for piece in source])
        self.files[path] = source


@dataclass
class Here:
    """Executing suites with a stand-in for the engine."""

    folder: Path
    ask: Ask | None = None
    replaces: bool = False
    halt: Halt = field(default_factory=Halt)
    kept: Kept = field(default_factory=Kept)
    told: list[Mapping[str, Any]] = field(default_factory=list)

    async def run(self, *words: str) -> Outcome:
        """Run a suite that does that."""
        baselines = Baselines(self.folder / "baselines", Comparer(), replaces=self.replaces)
        alone = Alone(
            AloneSettings(),
            Wishes(git_sha="abc123"),
            lambda keeper: Answers(self.ask, baselines, keeper),
            self.halt,
            STAND_IN,
        )
        return await alone.run(doing(*words), self.told.append, self.kept)

    def said(self, kind: str = "log") -> list[str]:
        """Give the messages that were told."""
        return [str(event["message"]) for event in self.told if event["kind"] == kind]


class Paper(io.StringIO):
    """What is written to a terminal, or to a file if it is none."""

    def __init__(self, *, is_terminal: bool = False) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def terminal(*, is_terminal: bool = False) -> tuple[Terminal, Paper]:
    """Make a terminal, and give what stands on it."""
    paper = Paper(is_terminal=is_terminal)
    return Terminal(file=paper, force_terminal=is_terminal, width=100), paper
