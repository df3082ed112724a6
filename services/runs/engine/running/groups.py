"""Cases in their order: what depends on what, what is skipped, what is tried once more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from playwright.async_api import Error, StorageState

from services.runs.engine.browser.models import BrowserGone
from services.runs.engine.browser.stage import Stage
from services.runs.engine.evidence.models import AttemptReport, CaseReport, StepReport
from services.runs.engine.evidence.traces import mask_trace
from services.runs.engine.grammar.models import Case, Login
from services.runs.engine.grammar.selection import used_names
from services.runs.engine.running.cases import Attempt, Ground
from services.runs.engine.running.claims import not_judged
from services.runs.engine.running.models import Cancelled
from services.runs.engine.running.obstacles import LOST, lost
from services.runs.engine.running.play import Play
from services.runs.engine.running.telling import Teller
from shared.log import get_logger

TRY_AGAIN: Final = frozenset(
    {"not_found", "timeout", "page_stuck", "covered", "disabled", "unreachable", "capture"}
)
"""Why a case may be broken today and whole in a moment; anything else stays as it is."""

CLEAN_UP: Final = 5.0
"""Seconds for closing a context, or for reading what it stores."""

log = get_logger()


@dataclass(frozen=True, slots=True)
class Standing:
    """How a case began: the browser's storage, and whose account was logged in."""

    storage: Mapping[str, Any]
    login: Login | None

    async def again(self, stage: Stage, case: Case) -> Ground:
        """Have a fresh stage begin likewise."""
        if not self.storage:
            return Ground(stage, case.viewport)
        with suppress(TimeoutError, Error):
            async with asyncio.timeout(CLEAN_UP):
                await stage.page.context.set_storage_state(cast("StorageState", self.storage))
        return Ground(stage, case.viewport, self.login)


class Group:
    """Cases that run one after the other in one context, because they may need each other.

    Args:
        play: the run.
        cases: in their order.
        shard: the group's number, where the run is sharded.
        finished: told of each case that is over.
    """

    def __init__(
        self,
        play: Play,
        cases: Sequence[Case],
        shard: int | None,
        finished: Callable[[CaseReport, int], object],
    ) -> None:
        self._play = play
        self._cases = cases
        self._shard = shard
        self._finished = finished
        self._verdicts: dict[str, str] = {}
        self._healed = 0

    async def run(self) -> None:
        """Run all of them.

        Raises:
            Cancelled: the run is to end.
            BrowserGone: the browser died.
        """
        ground: Ground | None = None
        try:
            for case in self._cases:
                if (why := self._why_not(case)) is not None:
                    await self._skip(case, why)
                    continue
                try:
                    ground = await self._ground(case, ground)
                except LOST as error:
                    log.warning("no page for a case", case_id=case.id, said=type(error).__name__)
                    await self._skip(case, "page_stuck: The browser opened no page in time.")
                    continue
                await self._run(case, ground)
        finally:
            if ground is not None:
                await _close(ground.stage)

    async def _ground(self, case: Case, ground: Ground | None) -> Ground:
        """Give a working tab: of the cases before, or of a context that holds what theirs held.

        Raises:
            PageStuck: none answered in time; likewise ``Gone`` and Playwright's own errors.
            BrowserGone: the browser died.
        """
        if ground is None:
            return Ground(await self._stage(case), case.viewport)
        try:
            if await ground.stage.renew():
                ground.viewport = None
        except LOST:
            standing = await _left(ground)
            stage = await self._stage(case)
            await _close(ground.stage)
            return await standing.again(stage, case)
        return ground

    def _why_not(self, case: Case) -> str | None:
        if case.skip is not None:
            return f"skip: {case.skip}" if case.skip else "skip"
        for other in case.depends_on:
            if self._verdicts.get(other) != "passed":
                return f"depends_on: {other} did not pass"
        if asyncio.get_running_loop().time() >= self._play.deadline:
            return "timeout: the run had no time left"
        return None

    async def _skip(self, case: Case, why: str) -> None:
        # A case that was to run and could not is no case that nobody wanted.
        verdict = "broken" if why.startswith(("timeout", "page_stuck")) else "skipped"
        report = unreached(case, verdict, why, self._play.masker.mask)
        teller = self._teller(case)
        await teller.case_start(case.title)
        await teller.case_end(report)
        self._note(report, 0)

    async def _run(self, case: Case, ground: Ground) -> None:
        teller = self._teller(case)
        await teller.case_start(case.title)
        standing = await self._standing(case, ground)
        attempt = Attempt(self._play, ground, case, 1, teller)
        report = await self._attempted(attempt, case, teller)
        healed = attempt.healed
        if standing is not None and _may_pass_another_day(report):
            report, healed = await self._again(case, report, teller, standing)
        await teller.case_end(report)
        self._note(report, healed)

    async def _attempted(self, attempt: Attempt, case: Case, teller: Teller) -> CaseReport:
        try:
            return await attempt.run()
        except (Cancelled, asyncio.CancelledError, BrowserGone) as error:
            reason = "interrupted" if isinstance(error, BrowserGone) else "cancelled"
            verdict = "broken" if isinstance(error, BrowserGone) else "skipped"
            report = attempt.report(verdict=verdict, reason=reason)
            self._note(report, attempt.healed)
            with suppress(OSError, TimeoutError, asyncio.CancelledError):
                await teller.case_end(report)
            raise
        except LOST as error:
            obstacle = lost(attempt.stage, error)
            reason = self._play.masker.mask(f"{obstacle.reason}: {obstacle.message}")
            return attempt.report(verdict="broken", reason=reason)
        except Exception:
            # One page that nobody foresaw must not cost the other cases their verdict.
            log.exception("case failed", case_id=case.id)
            return attempt.report(verdict="broken", reason="engine: the case could not be executed")

    async def _standing(self, case: Case, ground: Ground) -> Standing | None:
        """Note how a case begins, if it may be tried once more; None if it may not."""
        if case.retries < 1 or any(_needs(other, case) for other in self._cases):
            return None
        return await _left(ground) if self._verdicts else Standing({}, None)

    async def _again(
        self, case: Case, first: CaseReport, teller: Teller, standing: Standing
    ) -> tuple[CaseReport, int]:
        """Try a case in a fresh context, with a trace, as often as it may.

        It begins as the first attempt did: with the logins that the cases before had left.
        """
        attempts: list[AttemptReport] = []
        report, healed = first, 0
        for number in range(2, 2 + case.retries):
            attempts.append(
                AttemptReport(number - 1, report.verdict or "", report.reason, report.duration_ms)
            )
            try:
                stage = await self._stage(case, record_trace=True)
            except LOST:
                attempts.pop()
                break  # what the last attempt saw stands
            try:
                ground = await standing.again(stage, case)
                attempt = Attempt(self._play, ground, case, number, teller)
                report = await self._attempted(attempt, case, teller)
                healed = attempt.healed
                trace = (
                    None if report.verdict == "passed" else await self._trace(stage, case, number)
                )
            finally:
                await _close(stage)
            report = replace(report, attempts=tuple(attempts), trace=trace)
            if report.verdict == "passed":
                return replace(report, flaky=True), healed
        return report, healed

    async def _trace(self, stage: Stage, case: Case, number: int) -> str | None:
        path = f"traces/{self._cases.index(case):03d}-{number}.zip"
        source = self._play.assignment.scratch / path
        source.parent.mkdir(parents=True, exist_ok=True)
        try:
            async with asyncio.timeout(30):
                await stage.stop_trace(source)
                await asyncio.to_thread(mask_trace, source, self._play.masker)
        except (TimeoutError, *LOST):
            return None
        await self._play.outlet.store(path, source)
        return path

    async def _stage(self, case: Case, *, record_trace: bool = False) -> Stage:
        stage = await self._play.browsers.stage(
            width=case.viewport.width,
            height=case.viewport.height,
            tested_origin=self._play.base_url,
            traceparent=self._play.traceparent(case.id, 1),
            record_trace=record_trace,
        )
        for value in self._play.secrets:
            stage.keep_secret(value)
        return stage

    def _teller(self, case: Case) -> Teller:
        return Teller(self._play.outlet, self._play.masker, case.id, self._shard)

    def _note(self, report: CaseReport, healed: int) -> None:
        self._verdicts[report.id] = report.verdict or "skipped"
        self._finished(report, healed)


def _may_pass_another_day(report: CaseReport) -> bool:
    if report.verdict == "broken":
        return (report.reason or "").split(":")[0] in TRY_AGAIN
    return report.verdict == "failed"


def _needs(other: Case, case: Case) -> bool:
    """Tell whether a case stands on another, so that trying that one again would come too late."""
    if case.id in other.depends_on:
        return True
    names = {one.name for one in case.capture}
    if not names or other is case:
        return False
    return not names.isdisjoint(used_names(other))


def unreached(case: Case, verdict: str, reason: str, mask: Callable[[str], str]) -> CaseReport:
    """Report a case of which nothing was done."""
    return CaseReport(
        id=case.id,
        title=case.title,
        tags=case.tags,
        verdict=verdict,
        reason=mask(reason),
        steps=tuple(StepReport(step.id, mask(step.do), status="skipped") for step in case.steps),
        assertions=tuple(not_judged(one) for one in case.expect),
    )


async def _left(ground: Ground) -> Standing:
    """Note what the cases before have left; nothing, where the browser does not say it."""
    try:
        async with asyncio.timeout(CLEAN_UP):
            state = await ground.stage.storage()
    except (TimeoutError, *LOST):
        return Standing({}, None)
    return Standing(dict(state), ground.login)


async def _close(stage: Stage) -> None:
    """Close a context; one that does not close goes with its browser."""
    with suppress(BrowserGone, TimeoutError):
        async with asyncio.timeout(CLEAN_UP):
            await stage.close()
