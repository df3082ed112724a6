"""Telling what happens as it happens: events of section 8.1, masked and with their time."""

from __future__ import annotations

from collections.abc import Sequence

from services.runs.engine.evidence import events
from services.runs.engine.evidence.events import Events
from services.runs.engine.evidence.masking import Masker
from services.runs.engine.evidence.models import (
    ActionReport,
    AssertionReport,
    CaseReport,
    Environment,
    Json,
    Shot,
    StepReport,
)
from services.runs.engine.healing.models import Heal
from services.runs.engine.running.models import Outlet


class Teller:
    """Says events of one case.

    Args:
        outlet: where to.
        masker: what may not be said.
        case_id: None for what concerns the whole run.
        shard: of the case, where the run is sharded.

    Attributes:
        also: values that the step under way hides, however short.
    """

    def __init__(
        self,
        outlet: Outlet,
        masker: Masker,
        case_id: str | None = None,
        shard: int | None = None,
    ) -> None:
        self._outlet = outlet
        self._events = Events(masker)
        self._case_id = case_id
        self._shard = shard
        self._step_id: str | None = None
        self.also: tuple[str, ...] = ()

    async def _say(self, event: Json) -> None:
        await self._outlet.say(
            self._events.complete(
                event,
                case_id=self._case_id,
                step_id=self._step_id,
                shard=self._shard,
                also=self.also,
            )
        )

    async def run_start(
        self, suite: str, cases: Sequence[str], env: Environment, attempt: int
    ) -> None:
        """The run begins."""
        await self._say(events.run_start(suite, cases, env, attempt))

    async def case_start(self, title: str) -> None:
        """A case begins."""
        await self._say(events.case_start(title))

    async def step_start(self, step_id: str, do: str) -> None:
        """A step begins; its text is masked already."""
        self._step_id = step_id
        await self._say(events.step_start(do))

    async def action(self, report: ActionReport) -> None:
        """Something was done to the page."""
        await self._say(events.action(report))

    async def shot(self, shot: Shot) -> None:
        """A picture was taken."""
        await self._say(events.shot(shot))

    async def step_end(self, report: StepReport) -> None:
        """A step is over."""
        await self._say(
            events.step_end(report.status, report.duration_ms, report.error, report.candidates)
        )
        self._step_id, self.also = None, ()

    async def assertion(self, report: AssertionReport) -> None:
        """An expectation was judged."""
        await self._say(events.assertion(report))

    async def case_end(self, report: CaseReport) -> None:
        """A case is over."""
        verdict = report.verdict or "skipped"
        more = {"flaky": report.flaky, "attempt": report.attempt}
        await self._say(events.case_end(verdict, report.duration_ms, report.reason, **more))

    async def healed(self, heal: Heal) -> None:
        """An element was found in another shape than before."""
        before, after = heal.before.as_json(), heal.entry.place.as_json()
        await self._say(events.healed(before, after, heal.score, heal.confidence))

    async def log(self, text: str) -> None:
        """Say something worth knowing."""
        await self._say(events.log(text))
