"""One attempt at a case: its steps, what it expects, what it captures."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Final

from playwright.async_api import ViewportSize

from services.runs.engine.actions import log_in, open_address
from services.runs.engine.actions.models import Impossible, Scene
from services.runs.engine.browser.models import Mark, NotReached, Request, UrlNotAllowed
from services.runs.engine.browser.stage import Stage
from services.runs.engine.checks.capturing import capture
from services.runs.engine.evidence.models import (
    AssertionReport,
    CaseReport,
    ConsoleError,
    Download,
    NetworkError,
    StepReport,
)
from services.runs.engine.grammar.models import Case, Login, UnknownName, Viewport
from services.runs.engine.healing.memory import Memory
from services.runs.engine.language import parse_capture
from services.runs.engine.running.claims import Judge, not_judged
from services.runs.engine.running.obstacles import LOST, Obstacle, lost
from services.runs.engine.running.play import Play
from services.runs.engine.running.shots import Camera
from services.runs.engine.running.steps import Stepper, looks_first
from services.runs.engine.running.telling import Teller

MOST_ERRORS: Final = 100
"""Failed requests, and lines of the console, that a report names."""

RESIZE_SECONDS: Final = 5.0

_WORSE: Final = {"passed": 0, "failed": 1, "broken": 2}


@dataclass(slots=True)
class Ground:
    """A stage, how large its page is if that is known, and whose account is logged in there."""

    stage: Stage
    viewport: Viewport | None
    login: Login | None = None


@dataclass(slots=True)
class _Course:
    """How an attempt went so far."""

    verdict: str = "passed"
    reason: str | None = None
    steps: list[StepReport] = field(default_factory=list)
    assertions: list[AssertionReport] = field(default_factory=list)
    captures: dict[str, str] = field(default_factory=dict)

    def note(self, verdict: str, reason: str) -> None:
        """Keep the worst verdict, with the first reason for it."""
        if _WORSE[verdict] > _WORSE[self.verdict]:
            self.verdict, self.reason = verdict, reason


class Attempt:
    """One attempt at a case.

    Args:
        play: the run.
        ground: where.
        case: which.
        number: from 1 on.
        teller: of the case.
    """

    def __init__(self, play: Play, ground: Ground, case: Case, number: int, teller: Teller) -> None:
        self._play = play
        self._ground = ground
        self._case = case
        self._number = number
        self._teller = teller
        self._scene: Scene = play.scene(case)
        self._memory = Memory(play.known, case.id, teller.healed)
        stage = ground.stage
        self._stepper = Stepper(play, stage, self._scene, self._memory, teller)
        self._judge = Judge(play, stage, self._scene, teller)
        self._camera = Camera(play, stage, case.id, number, teller)
        self._course = _Course()
        self._mark: Mark | None = None
        self._began = asyncio.get_running_loop().time()

    async def run(self) -> CaseReport:
        """Carry it out, and report.

        Raises:
            Cancelled: the run is to end; ``report`` says how far it came.
            BrowserGone: the browser died; likewise.
        """
        stage = self._ground.stage
        self._mark = await stage.mark()
        stage.trace_as(self._play.traceparent(self._case.id, self._number))
        self._hide()
        if await self._arrive() and await self._steps():
            await self._expectations()
            if self._course.verdict == "passed":
                await self._captures()
        if self._course.verdict != "passed":
            await self._camera.take("failure", "", None)
        elif self._play.assignment.keeps and (self._memory.entries or self._memory.heals):
            await self._play.outlet.keep(
                self._case.id,
                tuple(entry.as_json() for entry in self._memory.entries),
                tuple(heal.as_json() for heal in self._memory.heals),
            )
        return self.report()

    def report(self, *, verdict: str | None = None, reason: str | None = None) -> CaseReport:
        """Report how far it came."""
        course, case = self._course, self._case
        steps = course.steps + [
            StepReport(step.id, self._play.masker.mask(step.do), status="skipped")
            for step in case.steps[len(course.steps) :]
        ]
        judged = course.assertions + [
            not_judged(one) for one in case.expect[len(course.assertions) :]
        ]
        elapsed = asyncio.get_running_loop().time() - self._began
        return CaseReport(
            id=case.id,
            title=case.title,
            tags=case.tags,
            verdict=verdict or course.verdict,
            attempt=self._number,
            reason=reason or course.reason,
            duration_ms=round(elapsed * 1000),
            steps=tuple(steps),
            assertions=tuple(judged),
            captures={
                name: self._play.masker.mask(value) for name, value in course.captures.items()
            },
            shots=tuple(self._camera.shots),
            network_errors=self._network_errors(),
            console_errors=self._console_errors(),
            downloads=self._downloads(),
        )

    @property
    def stage(self) -> Stage:
        """Where it takes place."""
        return self._ground.stage

    @property
    def healed(self) -> int:
        """How many elements were found in another shape than before."""
        return len(self._memory.heals)

    def _hide(self) -> None:
        login = self._case.login
        if login is not None:
            # A name that nobody knows is said when it is to be typed.
            with suppress(UnknownName):
                self._play.hide(self._ground.stage, self._scene.variables.fill(login.password))

    async def _arrive(self) -> bool:
        """Log in if that is wanted, open the start page, and see what holds already."""
        stage, scene, login = self._ground.stage, self._scene, self._case.login
        try:
            await self._resize()
            await open_address(stage, self._play.base_url, scene)
            if login is not None and login != self._ground.login:
                await log_in(stage, login, scene)
                self._ground.login = login
                await open_address(stage, self._play.base_url, scene)
        except Impossible as impossible:
            return self._blocked(Obstacle(impossible.reason, impossible.message))
        except UrlNotAllowed as refused:
            return self._blocked(Obstacle("url_not_allowed", str(refused)))
        except UnknownName as unknown:
            message = f"Nothing gives ${{{unknown.name}}} a value."
            return self._blocked(Obstacle("unknown_name", message))
        except NotReached as away:
            return self._blocked(Obstacle("unreachable", str(away)))
        except TimeoutError:
            return self._blocked(Obstacle("page_stuck", "The start page did not answer in time."))
        except LOST as error:
            return self._blocked(lost(stage, error))
        if self._case.steps:
            await self._judge.look_before(self._case.expect)
        return True

    async def _resize(self) -> None:
        wanted = self._case.viewport
        if wanted != self._ground.viewport:
            size: ViewportSize = {"width": wanted.width, "height": wanted.height}
            async with asyncio.timeout(RESIZE_SECONDS):
                await self._ground.stage.page.set_viewport_size(size)
            self._ground.viewport = wanted

    def _blocked(self, obstacle: Obstacle) -> bool:
        message = self._play.masker.mask(obstacle.message)
        self._course.note("broken", f"{obstacle.reason}: {message}")
        return False

    async def _steps(self) -> bool:
        for step, following in zip_longest(self._case.steps, self._case.steps[1:]):
            self._play.outlet.check()
            report, obstacle = await self._stepper.run(step, following)
            self._course.steps.append(report)
            reads_ahead = obstacle is None and (following is None or looks_first(following))
            await self._camera.take(report.id, report.do, report.id, reads_ahead=reads_ahead)
            if obstacle is not None:
                return self._blocked(obstacle)
        return True

    async def _expectations(self) -> None:
        for one in self._case.expect:
            report, undecided = await self._judge.judge(one)
            self._course.assertions.append(report)
            if report.verdict == "broken":
                self._course.note("broken", f"{undecided}: {report.observed}")
            elif report.verdict == "failed":
                shown = report.observed or ""
                self._course.note("failed", f"assertion: expected {report.expected}; saw {shown}")

    async def _captures(self) -> None:
        for one in self._case.capture:
            phrase = parse_capture(one.source)
            if phrase is None:
                self._blocked(Obstacle("needs_model", f"No rule reads the capture “{one.source}”."))
                return
            try:
                value = await capture(self._ground.stage, phrase, self._scene)
            except UnknownName as unknown:
                self._blocked(
                    Obstacle("unknown_name", f"Nothing gives ${{{unknown.name}}} a value.")
                )
                return
            except LOST as error:
                self._blocked(lost(self._ground.stage, error))
                return
            if value is None:
                message = f"“{one.source}” was not found on the page."
                self._blocked(Obstacle("capture", message))
                return
            self._play.captures[one.name] = self._course.captures[one.name] = value

    def _network_errors(self) -> tuple[NetworkError, ...]:
        if self._mark is None:
            return ()
        mask = self._play.masker.mask
        errors = self._ground.stage.network_errors(self._mark)[:MOST_ERRORS]
        return tuple(
            NetworkError(
                method=one.method,
                url=mask(one.url),
                status=one.status,
                trace_id=one.trace_id,
                ts=_time(one.started),
                error=_failure(one),
                request_id=mask(one.answer_id) if one.answer_id else None,
            )
            for one in errors
        )

    def _console_errors(self) -> tuple[ConsoleError, ...]:
        if self._mark is None:
            return ()
        mask = self._play.masker.mask
        lines = [
            line
            for line in self._ground.stage.console(self._mark)
            if line.level in ("error", "exception")
        ]
        return tuple(
            ConsoleError(text=mask(line.text), url=mask(line.url), ts=_time(line.ts))
            for line in lines[:MOST_ERRORS]
        )

    def _downloads(self) -> tuple[Download, ...]:
        return tuple(self._camera.downloads)


def _failure(request: Request) -> str | None:
    return "url_not_allowed" if request.refused else request.failure or None


def _time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
