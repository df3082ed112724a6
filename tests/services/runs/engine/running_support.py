"""Suites run on the shop in a real browser, and everything they said."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.runs.engine.browser.models import BrowserSettings
from services.runs.engine.model import Model
from services.runs.engine.running.execution import execute
from services.runs.engine.running.models import Assignment, Cancelled, Ending
from shared.targets import TargetPolicy

LOCAL = TargetPolicy(allow_private=True)


@dataclass
class Recorder:
    """An outlet that remembers; ``stop_at`` names the kind of event at which the run is ended."""

    stop_at: str = ""
    events: list[Mapping[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    entries: list[Mapping[str, Any]] = field(default_factory=list)
    heals: list[Mapping[str, Any]] = field(default_factory=list)
    reports: list[Mapping[str, Any]] = field(default_factory=list)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def check(self) -> None:
        if self.stopped.is_set():
            raise Cancelled

    async def cancelled(self) -> None:
        await self.stopped.wait()

    async def say(self, event: Mapping[str, Any]) -> None:
        self.events.append(event)
        if event["kind"] == self.stop_at:
            self.stopped.set()

    async def store(self, path: str, source: Path) -> None:
        self.files[path] = source.read_bytes()

    async def keep(
        self,
        case_id: str,
        entries: tuple[Mapping[str, Any], ...],
        heals: tuple[Mapping[str, Any], ...],
    ) -> None:
        self.entries += entries
        self.heals += heals

    async def report(self, report: Mapping[str, Any]) -> None:
        self.reports.append(report)

    def kinds(self) -> list[str]:
        """The kinds of what was said, in order."""
        return [str(event["kind"]) for event in self.events]

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        """Events of one kind."""
        return [event for event in self.events if event["kind"] == kind]


async def run_suite(
    text: str,
    scratch: Path,
    recorder: Recorder | None = None,
    *,
    model: Model | None = None,
    targets: TargetPolicy = LOCAL,
    cases: Sequence[str] | None = None,
    **more: Any,
) -> tuple[Ending, Recorder]:
    """Run a suite to its end."""
    recorder = recorder or Recorder()
    assignment = Assignment(
        run_id="run_test",
        attempt=1,
        file="t.tripwire.yaml",
        text=text,
        cases=cases,
        scratch=scratch,
        **more,
    )
    settings = BrowserSettings(targets=targets, scratch=scratch)
    return await execute(assignment, settings, recorder, model), recorder


def case_of(ending: Ending, case_id: str) -> dict[str, Any]:
    """The report of one case."""
    found: dict[str, Any] = next(case for case in ending.report["cases"] if case["id"] == case_id)
    return found


def verdicts(ending: Ending) -> dict[str, str]:
    """Of all cases."""
    return {case["id"]: case["verdict"] for case in ending.report["cases"]}
