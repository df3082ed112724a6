"""Judging what a case expects (contract 6.1). Nothing here is ever healed or loosened."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from services.runs.engine.actions.models import Impossible, Scene
from services.runs.engine.browser.models import Gone, NotReached
from services.runs.engine.browser.stage import Stage
from services.runs.engine.checks.judging import holds_now, judge
from services.runs.engine.checks.models import Undecidable
from services.runs.engine.evidence.models import AssertionReport
from services.runs.engine.grammar.models import Check, Expectation, UnknownName
from services.runs.engine.language import explain_claim, parse_claim
from services.runs.engine.model import ModelFailed, claim_question
from services.runs.engine.running.obstacles import LOST, lost
from services.runs.engine.running.play import Play
from services.runs.engine.running.telling import Teller

ALREADY_TRUE: Final = "already_true"

NEEDS_MODEL: Final = "The rules cannot read this claim, and no model is configured"

GLANCE: Final = 2.0
"""Seconds that looking at what holds already may take, all claims together."""

JUDGE_SECONDS: Final = 30.0

_NEVER_NEWS: Final = frozenset({"absent_text", "no_console_errors", "request", "api", "screenshot"})
"""Kinds that rightly hold before anything was done, or that a look would change."""


class Judge:
    """Judges the expectations of one attempt at a case.

    Args:
        play: the run.
        stage: where.
        scene: of the case.
        teller: of the case.
    """

    def __init__(self, play: Play, stage: Stage, scene: Scene, teller: Teller) -> None:
        self._play = play
        self._stage = stage
        self._scene = scene
        self._teller = teller
        self._true_before: frozenset[str] = frozenset()

    async def look_before(self, expectations: Sequence[Expectation]) -> None:
        """Note what holds before the first step: such a claim proves nothing."""
        found = set()
        looked = 0
        with suppress(TimeoutError, *LOST):
            async with asyncio.timeout(GLANCE):
                for one in expectations:
                    check = compiled(one)
                    if check is None or check.kind in _NEVER_NEWS or check.parameters.get("not"):
                        continue
                    with suppress(UnknownName, Undecidable, Impossible, Gone):
                        looked += 1
                        if looked > 1:
                            self._stage.keep_reading()
                        if await holds_now(self._stage, check, self._scene):
                            found.add(one.id)
        self._true_before = frozenset(found)

    async def judge(self, one: Expectation) -> tuple[AssertionReport, str | None]:
        """Judge one; with why it could not be decided, as a machine word.

        Raises:
            Cancelled: the run is to end.
            BrowserGone: the browser died.
        """
        self._play.outlet.check()
        report, reason = await self._judged(one)
        await self._teller.assertion(report)
        return report, reason

    async def _judged(self, one: Expectation) -> tuple[AssertionReport, str | None]:
        check = compiled(one)
        try:
            async with asyncio.timeout(JUDGE_SECONDS):
                if check is None:
                    return await self._by_model(one)
                judged = await judge(
                    self._stage, check, self._scene, baselines=self._play.baselines
                )
        except UnknownName as unknown:
            message = f"Nothing gives ${{{unknown.name}}} a value."
            return self._undecided(one, check, message), "unknown_name"
        except Undecidable as undecidable:
            return self._undecided(one, check, undecidable.message), undecidable.reason
        except ModelFailed as failed:
            reason = "needs_model" if self._play.model is None else "model_failed"
            return self._undecided(one, check, failed.reason), reason
        except Impossible as impossible:
            return self._undecided(one, check, impossible.message), impossible.reason
        except TimeoutError:
            return self._undecided(one, check, "The page did not answer in time."), "page_stuck"
        except LOST as error:
            obstacle = lost(self._stage, error)
            return self._undecided(one, check, obstacle.message), obstacle.reason
        except NotReached as away:
            return self._undecided(one, check, str(away)), "unreachable"
        mask = self._play.masker.mask
        return AssertionReport(
            id=one.id,
            claim=None if one.claim is None else mask(self._filled(one.claim)),
            check=self._shown(check),
            verdict="passed" if judged.passed else "failed",
            expected=mask(judged.expected),
            observed=mask(judged.observed),
            source="check" if one.check is not None else "rule",
            suggested_check=None if one.check is not None else self._masked(check),
            warnings=(ALREADY_TRUE,) if one.id in self._true_before else (),
        ), None

    async def _by_model(self, one: Expectation) -> tuple[AssertionReport, str | None]:
        if self._play.model is None or one.claim is None:
            why = explain_claim(one.claim or "")
            raise ModelFailed(f"{NEEDS_MODEL}: {why}.")
        mask = self._play.masker.mask
        claim = self._filled(one.claim)
        reading = await self._stage.read()
        text = await self._stage.visible_text()
        notices = [notice.text for notice in await self._stage.notices()]
        question = claim_question(claim, reading.url, reading.title, text, mask, notices)
        opinion = await self._play.model.judge(question)
        return AssertionReport(
            id=one.id,
            claim=mask(claim),
            verdict="passed" if opinion.passed else "failed",
            expected=mask(claim),
            observed=mask(opinion.why),
            source="model",
            confidence=opinion.confidence,
        ), None

    def _undecided(self, one: Expectation, check: Check | None, message: str) -> AssertionReport:
        mask = self._play.masker.mask
        return AssertionReport(
            id=one.id,
            claim=None if one.claim is None else mask(self._filled(one.claim)),
            check=self._shown(check),
            verdict="broken",
            observed=mask(message),
            source="check" if one.check is not None else "rule",
        )

    def _filled(self, template: str) -> str:
        try:
            return self._scene.variables.fill(template)
        except UnknownName:
            return template

    def _shown(self, check: Check | None) -> dict[str, object] | None:
        return None if check is None else self._masked(check)

    def _masked(self, check: Check) -> dict[str, object]:
        """Give a check as its author may pin it: its templates, which hold no values."""
        return {name: self._play.masker.mask_json(value) for name, value in check.as_dict().items()}


def compiled(one: Expectation) -> Check | None:
    """Give what decides an expectation: its check, or what the rules read of its claim."""
    if one.check is not None:
        return one.check
    return None if one.claim is None else parse_claim(one.claim)


def not_judged(one: Expectation) -> AssertionReport:
    """Report an expectation that was not reached."""
    return AssertionReport(
        id=one.id,
        claim=one.claim,
        check=None if one.check is None else one.check.as_dict(),
        verdict="skipped",
        source="check" if one.check is not None else "rule",
    )
