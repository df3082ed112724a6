"""Carrying out the steps of a case (contract 5, 7.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final

from services.runs.engine.actions import foresee, perform
from services.runs.engine.actions.models import Done, Impossible, Scene
from services.runs.engine.browser.models import NotReached, UrlNotAllowed
from services.runs.engine.browser.stage import Stage
from services.runs.engine.evidence.masking import MASK
from services.runs.engine.evidence.models import (
    ActionReport,
    CandidateReport,
    StepReport,
    Touched,
)
from services.runs.engine.grammar import secrets_of_step
from services.runs.engine.grammar.models import Step, UnknownName
from services.runs.engine.healing.memory import Memory
from services.runs.engine.language import parse_step
from services.runs.engine.language.models import (
    Clear,
    Click,
    Drag,
    Fill,
    Focus,
    Hover,
    Intent,
    LogIn,
    Search,
    Select,
    Submit,
    Toggle,
    Upload,
    Value,
)
from services.runs.engine.model import ModelFailed
from services.runs.engine.resolver.models import Scored
from services.runs.engine.running.modelled import by_model
from services.runs.engine.running.models import STEP_SECONDS
from services.runs.engine.running.obstacles import LOST, Obstacle, lost
from services.runs.engine.running.play import Play
from services.runs.engine.running.telling import Teller

_SEEKING: Final = (
    *(Clear, Click, Drag, Fill, Focus, Hover),
    *(LogIn, Search, Select, Submit, Toggle, Upload),
)


class Stepper:
    """Carries out the steps of one attempt at a case.

    Args:
        play: the run.
        stage: where.
        scene: of the case.
        memory: recalls and learns where elements are.
        teller: of the case.
    """

    def __init__(
        self, play: Play, stage: Stage, scene: Scene, memory: Memory, teller: Teller
    ) -> None:
        self._play = play
        self._stage = stage
        self._scene = scene
        self._memory = memory
        self._teller = teller
        self._actions: list[ActionReport] = []

    async def run(
        self, step: Step, following: Step | None = None
    ) -> tuple[StepReport, Obstacle | None]:
        """Carry out a step; give its report, and what was in the way.

        Args:
            step: which.
            following: the one after it, which may say how a dialog is to be answered.

        Raises:
            Cancelled: the run is to end.
            BrowserGone: the browser died.
        """
        clock = asyncio.get_running_loop().time
        began, self._actions = clock(), []
        intents = parse_step(step.do)
        shown = self._shown(step)
        await self._teller.step_start(step.id, shown)
        obstacle = await self._attempted(step, intents, following)
        report = StepReport(
            id=step.id,
            do=shown,
            status="passed" if obstacle is None else "broken",
            actions=tuple(self._actions),
            duration_ms=round((clock() - began) * 1000),
            error=None if obstacle is None else self._mask(obstacle.message),
            candidates=() if obstacle is None else self._candidates(obstacle.candidates),
        )
        await self._teller.step_end(report)
        return report, obstacle

    def _shown(self, step: Step) -> str:
        """Give the step's text for people; what is secret in it is hidden from here on."""
        variables = self._scene.variables
        hidden = secrets_of_step(step, variables, typed) if step.secret else set()
        for value in hidden:
            self._play.hide(self._stage, value)
        self._teller.also = tuple(hidden)
        try:
            text = variables.fill(step.do)
        except UnknownName:
            text = step.do
        return MASK if step.secret and not hidden else self._mask(text)

    async def _attempted(
        self, step: Step, intents: Sequence[Intent] | None, following: Step | None
    ) -> Obstacle | None:
        scene = self._scene
        scene.secret, scene.actions = step.secret, 0
        template = self._mask(step.do)
        scene.locate = self._memory.locating(step, template)
        scene.on_action = self._told
        try:
            # Before anything is done: half a step would be worse than none.
            scene.variables.fill(step.do)
            async with asyncio.timeout(min(STEP_SECONDS, self._remaining)):
                if intents is None:
                    await by_model(self._play, self._stage, scene, self._memory, step)
                else:
                    after = () if following is None else parse_step(following.do) or ()
                    upcoming = (*intents[1:], *after[:1], None)
                    for intent, coming in zip(intents, upcoming, strict=False):
                        foresee(self._stage, coming, scene)
                        await perform(self._stage, intent, scene)
        except UnknownName as unknown:
            message = f"Nothing gives ${{{unknown.name}}} a value."
            return Obstacle("unknown_name", message)
        except Impossible as impossible:
            return Obstacle(impossible.reason, impossible.message, impossible.candidates)
        except ModelFailed as failed:
            reason = "needs_model" if self._play.model is None else "model_failed"
            return Obstacle(reason, failed.reason)
        except UrlNotAllowed as refused:
            return Obstacle("url_not_allowed", str(refused))
        except NotReached as away:
            return Obstacle("unreachable", str(away))
        except LOST as error:
            return lost(self._stage, error)
        except TimeoutError:
            return Obstacle("timeout", f"The step took longer than {STEP_SECONDS:.0f} s.")
        return None

    @property
    def _remaining(self) -> float:
        return max(0.1, self._play.deadline - asyncio.get_running_loop().time())

    async def _told(self, done: Done) -> None:
        report = self._reported(done)
        self._actions.append(report)
        await self._teller.action(report)

    def _reported(self, done: Done) -> ActionReport:
        mask = self._mask
        touched = done.candidate
        value = done.value
        if value is not None:
            value = MASK if self._scene.secret else mask(value)
        return ActionReport(
            tool=done.tool,
            target=None
            if touched is None
            else Touched(touched.role, mask(touched.name), touched.ref),
            value=value,
            text=mask(done.text),
            url=mask(done.url),
            ok=done.ok,
            ms=done.ms,
            source=done.source,
        )

    def _mask(self, text: str) -> str:
        return self._play.masker.mask(text, self._teller.also)

    def _candidates(self, scored: Sequence[Scored]) -> tuple[CandidateReport, ...]:
        mask = self._mask
        return tuple(
            CandidateReport(
                role=one.candidate.role,
                name=mask(one.candidate.name),
                score=one.score,
                where=mask(_where(one)),
            )
            for one in scored
        )


def _where(scored: Scored) -> str:
    """Tell in words what is around an element, so that equal ones can be told apart."""
    candidate = scored.candidate
    places = (
        candidate.row_text and f"in the row “{candidate.row_text[:80]}”",
        candidate.groups and f"in “{candidate.groups[0][:80]}”",
        candidate.heading and f"under “{candidate.heading[:80]}”",
        candidate.landmark and f"in the {candidate.landmark}",
    )
    return ", ".join(place for place in places if place)


def looks_first(step: Step) -> bool:
    """Tell whether a step begins by looking for an element, and so reads the page."""
    intents = parse_step(step.do)
    return intents is not None and isinstance(intents[0], _SEEKING)


def typed(do: str) -> tuple[str, ...] | None:
    """Give the templates of what a step types or picks; None if the rules cannot read it."""
    intents = parse_step(do)
    return None if intents is None else tuple(value.template for value in _values(intents))


def _values(intents: Any) -> Iterator[Value]:
    """Find what is typed or picked, wherever it stands."""
    if isinstance(intents, Value):
        yield intents
    elif isinstance(intents, tuple | list):
        for one in intents:
            yield from _values(one)
    elif is_dataclass(intents) and not isinstance(intents, type):
        for each in fields(intents):
            yield from _values(getattr(intents, each.name))
