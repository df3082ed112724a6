"""A run, from its text to its verdict (contract 7)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from services.runs.engine.browser.browsers import Browsers, has_display
from services.runs.engine.browser.models import BrowserGone, BrowserMissing, BrowserSettings
from services.runs.engine.checks.outside import Baselines
from services.runs.engine.evidence.events import now
from services.runs.engine.evidence.masking import Masker
from services.runs.engine.evidence.models import CaseReport, Environment, Report, Summary
from services.runs.engine.grammar import components, make_fixtures, masked_values, parse
from services.runs.engine.grammar.models import CHROMIUM, Case, Suite, UnknownName
from services.runs.engine.healing.memory import Known
from services.runs.engine.model import Model
from services.runs.engine.running.accounts import with_account
from services.runs.engine.running.groups import Group, unreached
from services.runs.engine.running.models import (
    CASES_AT_ONCE,
    Assignment,
    Cancelled,
    Ending,
    Outlet,
)
from services.runs.engine.running.play import Play, variables_of
from services.runs.engine.running.steps import typed
from services.runs.engine.running.telling import Teller
from shared.log import get_logger

LATE: Final = 15.0
"""Seconds after the run's time in which what is under way may still end by itself."""

STOPPING: Final = 5.0
"""Seconds in which it ends when it is cancelled."""

log = get_logger()


@dataclass(slots=True)
class Progress:
    """What is known of a run so far.

    Attributes:
        assignment: of the run.
        suite: None if the text is none.
        cases: those that are run, in order.
        masker: for what is reported.
        reports: of the cases that are over.
        healed: elements found in another shape, by case.
        browser: its name and version.
        base_url: as it was filled in.
    """

    assignment: Assignment
    suite: Suite | None
    cases: tuple[Case, ...]
    masker: Masker
    reports: dict[str, CaseReport] = field(default_factory=dict)
    healed: dict[str, int] = field(default_factory=dict)
    browser: str = ""
    base_url: str = ""
    started_at: str = field(default_factory=now)
    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    def note(self, report: CaseReport, healed: int) -> None:
        """Keep the report of a case that is over."""
        self.reports[report.id] = report
        self.healed[report.id] = healed

    def summary(self) -> Summary:
        """Count what there is."""
        verdicts = [report.verdict for report in self.reports.values()]
        return Summary(
            total=len(self.cases),
            passed=verdicts.count("passed"),
            failed=verdicts.count("failed"),
            broken=verdicts.count("broken"),
            skipped=verdicts.count("skipped"),
            flaky=sum(report.flaky for report in self.reports.values()),
            healed=sum(self.healed.values()),
        )

    def verdict(self) -> str:
        """Give the worst of all cases; nothing that was not observed is a pass (contract 7.3)."""
        verdicts = {report.verdict for report in self.reports.values()}
        for worst in ("broken", "failed"):
            if worst in verdicts:
                return worst
        return "passed" if "passed" in verdicts else "broken"

    def fill_up(self, verdict: str, reason: str) -> None:
        """Report every case that was not reached."""
        for case in self.cases:
            if case.id not in self.reports:
                self.note(unreached(case, verdict, reason, self.masker.mask), 0)

    def environment(self) -> Environment:
        """Say where the run takes place."""
        run = self.assignment
        return Environment(
            base_url=self.masker.mask(self.base_url) or None,
            browser=self.browser or None,
            headed=run.is_headed and has_display(),
            git_sha=run.git_sha or None,
            ci_url=run.ci_url or None,
        )

    def report(self, status: str) -> Mapping[str, object]:
        """Write the report as far as it goes."""
        suite, run = self.suite, self.assignment
        is_over = status != "running"
        mask = self.masker.mask
        elapsed = asyncio.get_running_loop().time() - self.began
        report = Report(
            run_id=run.run_id,
            suite="" if suite is None else mask(suite.name),
            suite_id="" if suite is None else suite.id,
            file=run.file,
            status=status,
            started_at=self.started_at,
            finished_at=now() if is_over else None,
            duration_ms=round(elapsed * 1000),
            summary=self.summary(),
            env=self.environment(),
            cases=tuple(self.reports[case.id] for case in self.cases if case.id in self.reports),
        )
        masked: Mapping[str, object] = self.masker.mask_json(report.as_json())
        return masked


async def execute(
    assignment: Assignment,
    settings: BrowserSettings,
    outlet: Outlet,
    model: Model | None,
    baselines: Baselines | None = None,
) -> Ending:
    """Execute a run; whatever is wrong with it stands in its ending.

    Args:
        assignment: what is to be run.
        settings: the browser's.
        outlet: where events, files and lessons go.
        model: for what no rule can read.
        baselines: compares pictures with earlier ones.
    """
    masker = Masker()
    parsed = parse(assignment.text)
    if parsed.suite is None:
        progress = Progress(assignment, None, (), masker)
        problem = parsed.problems[0].message if parsed.problems else "The suite is empty."
        return Ending("broken", progress.report("broken"), f"invalid_yaml: {problem}")
    assignment, suite = with_account(assignment, parsed.suite)
    chosen = assignment.cases
    cases = tuple(case for case in suite.cases if chosen is None or case.id in chosen)
    progress = Progress(assignment, suite, cases, masker)
    if suite.browser != CHROMIUM:
        # Guard and reader are made for Chromium; another browser would be neither held nor read.
        wanted = suite.browser
        progress.fill_up("broken", f"not_supported: suites run in Chromium only, not in {wanted}")
        return Ending("broken", progress.report("broken"))
    try:
        await _prepared(progress, settings, outlet, model, baselines)
    except UnknownName as unknown:
        progress.fill_up("broken", f"unknown_name: Nothing gives ${{{unknown.name}}} a value.")
    except BrowserMissing as missing:
        # It never started: nobody did anything to the tested application.
        progress.fill_up("broken", f"browser_missing: {missing}")
        return Ending("broken", progress.report("broken"), str(missing))
    except BrowserGone:
        progress.fill_up("skipped", "interrupted")
        reason = "The browser died."
        return Ending("interrupted", progress.report("interrupted"), reason)
    except Cancelled:
        progress.fill_up("skipped", "cancelled")
        return Ending("cancelled", progress.report("cancelled"))
    progress.fill_up("broken", "timeout: the run had no time left")
    status = progress.verdict()
    return Ending(status, progress.report(status), secrets=masker.values)


async def _prepared(
    progress: Progress,
    settings: BrowserSettings,
    outlet: Outlet,
    model: Model | None,
    baselines: Baselines | None,
) -> None:
    run, suite = progress.assignment, progress.suite
    assert suite is not None  # the caller has looked
    fixtures = make_fixtures(suite, random.SystemRandom())
    variables = variables_of(suite, run, fixtures)
    secrets = masked_values(suite, variables, typed)
    for value in secrets:
        progress.masker.add(value)
    progress.base_url = variables.fill(suite.base_url)
    clock = asyncio.get_running_loop().time
    async with Browsers.opened(settings) as browsers:
        progress.browser = browsers.version
        play = Play(
            assignment=run,
            suite=suite,
            base_url=progress.base_url,
            fixtures=fixtures,
            browsers=browsers,
            policy=settings.targets,
            outlet=outlet,
            masker=progress.masker,
            known=Known.of(run.entries, run.refused),
            model=model,
            baselines=baselines,
            deadline=clock() + run.seconds,
            secrets=dict.fromkeys(secrets),
        )
        ids = [case.id for case in progress.cases]
        teller = Teller(outlet, progress.masker)
        await teller.run_start(suite.name, ids, progress.environment(), run.attempt)
        if run.is_headed and not settings.endpoint and not has_display():
            await teller.log("There is no display here, so the browser works unseen.")
        await _watched(play, progress)


async def _watched(play: Play, progress: Progress) -> None:
    """Run all cases until they are over, the run is cancelled, or its time has passed."""
    running = asyncio.create_task(_all(play, progress), name="cases")
    cancelled = asyncio.create_task(play.outlet.cancelled(), name="cancel")
    seconds = play.deadline - asyncio.get_running_loop().time() + LATE
    try:
        await asyncio.wait(
            {running, cancelled}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if running.done():
            await running
        elif cancelled.done():
            await _stop(running)
            raise Cancelled
        else:
            await _stop(running)
    finally:
        cancelled.cancel()
        await _stop(running)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Cancelled, BrowserGone):
        await asyncio.wait({task}, timeout=STOPPING)


async def _all(play: Play, progress: Progress) -> None:
    groups = [progress.cases]
    if play.assignment.is_sharded:
        ids = [case.id for case in progress.cases]
        by_id = {case.id: case for case in progress.cases}
        groups = [tuple(by_id[one] for one in group) for group in components(play.suite, ids)]
    is_sharded = len(groups) > 1
    places = asyncio.Semaphore(CASES_AT_ONCE)
    reporting = asyncio.Event()

    def finished(report: CaseReport, healed: int) -> None:
        progress.note(report, healed)
        reporting.set()

    async def tell() -> None:
        while True:
            await reporting.wait()
            reporting.clear()
            await play.outlet.report(progress.report("running"))

    async def one(number: int, cases: tuple[Case, ...]) -> None:
        async with places:
            await Group(play, cases, number if is_sharded else None, finished).run()

    telling = asyncio.create_task(tell(), name="partial reports")
    try:
        async with asyncio.TaskGroup() as tasks:
            for number, cases in enumerate(groups):
                tasks.create_task(one(number, cases))
    except* (Cancelled, BrowserGone) as ended:
        first: BaseException = ended
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
