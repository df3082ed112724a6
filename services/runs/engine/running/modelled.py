"""Steps that no rule can read: done as a model proposes, within what the engine allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.runs.engine.actions import perform
from services.runs.engine.actions.models import Found, Impossible, Scene
from services.runs.engine.browser.stage import Stage
from services.runs.engine.grammar.models import Step
from services.runs.engine.healing.memory import Memory
from services.runs.engine.healing.models import Entry
from services.runs.engine.healing.recalling import recall
from services.runs.engine.language import explain_step
from services.runs.engine.language.models import (
    Click,
    Fill,
    Intent,
    Open,
    Press,
    Select,
    Target,
    Value,
)
from services.runs.engine.model import Action, ModelFailed, allowed, step_question, template_of
from services.runs.engine.model.putting import Asked
from services.runs.engine.resolver.models import Candidate, Wanted
from services.runs.engine.running.play import Play

NO_MODEL: Final = "The rules cannot read this step, and no model is configured"
NO_IDEA: Final = "The model does not know what to do for this step."
_NAMELESS: Final = Target("")


@dataclass(frozen=True, slots=True)
class Lesson:
    """An action that a model proposed and that came off: on which page, to what, with what."""

    url: str
    touched: Candidate | None
    action: Action
    template: str


async def by_model(play: Play, stage: Stage, scene: Scene, memory: Memory, step: Step) -> None:
    """Do what a model proposes; what it proposed before is done again without asking it.

    Raises:
        ModelFailed: there is none, or it has no answer.
        Impossible: what it proposes is not allowed, or cannot be done.
    """
    entries = memory.of_model(step)
    if entries and await _repeated(stage, scene, entries):
        return
    if play.model is None:
        # What is secret in a step that nobody could read is not known, so none of it is quoted.
        why = "" if step.secret else explain_step(step.do)
        raise ModelFailed(f"{NO_MODEL}: {why}." if why else f"{NO_MODEL}.")
    await _proposed(play, stage, scene, memory, step)


async def _repeated(stage: Stage, scene: Scene, entries: list[Entry]) -> bool:
    """Do what was done before; false if its first element is not to be found."""
    for entry in entries:
        reading = await stage.read()
        touched = recall(entry.place, reading.candidates) if entry.place.role else None
        if entry.place.role and touched is None:
            if entry is entries[0]:
                return False
            raise Impossible(
                "not_found", f"“{entry.place.name}” is not where a model had found it.", ()
            )
        action = Action(entry.action["do"], "e1", str(entry.action.get("value") or ""))
        await _perform(stage, scene, action, touched, str(entry.action.get("template") or ""))
    return True


async def _proposed(play: Play, stage: Stage, scene: Scene, memory: Memory, step: Step) -> None:
    """Do what is proposed; behind a navigation it is asked again, because the page is another."""
    assert play.model is not None  # the caller has looked
    done: list[str] = []
    lessons: list[Lesson] = []
    while True:
        asked = await _question(play, stage, step, done)
        proposed = await play.model.steps(asked.question)
        if not proposed.actions and not done:
            raise ModelFailed(NO_IDEA)
        for action in proposed.actions:
            refusal = allowed(action, asked.question, scene.origins)
            if refusal is not None:
                raise Impossible("refused", f"The model's proposal is not allowed: {refusal}.", ())
            touched = asked.candidates.get(action.ref)
            template = template_of(action, asked.question) or ""
            url = stage.page.url
            await _perform(stage, scene, action, touched, template)
            lessons.append(Lesson(url, touched, action, template))
            done.append(f"{action.do} {'' if touched is None else touched.name}".strip())
            if stage.page.url != url:
                break
        else:
            break
    _learn(play, memory, step, lessons)


def _learn(play: Play, memory: Memory, step: Step, lessons: Sequence[Lesson]) -> None:
    """Keep what was done, unless a secret stands in it: half of it would be worse than nothing."""
    mask = play.masker.mask
    texts = [step.do, *(lesson.template for lesson in lessons)]
    if step.secret or any(mask(text) != text for text in texts):
        return
    for part, lesson in enumerate(lessons):
        action = {"do": lesson.action.do, "value": lesson.action.value}
        memory.learn(step, part, lesson.url, lesson.touched, action | {"template": lesson.template})


async def _question(play: Play, stage: Stage, step: Step, done: list[str]) -> Asked:
    reading = await stage.read()
    return step_question(
        step.do,
        reading.url,
        reading.title,
        reading.candidates,
        play.masker.mask,
        secret=step.secret,
        done=done,
    )


async def _perform(
    stage: Stage, scene: Scene, action: Action, touched: Candidate | None, template: str
) -> None:
    """Do one action to the very element that was meant, by the same hands that rules use."""

    async def locate(stage: Stage, wanted: Wanted, scene: Scene) -> Found:
        if touched is None:
            raise Impossible("not_found", "The model named no element.", ())
        return Found(touched, "model", 100.0)

    before, scene.locate = scene.locate, locate
    try:
        await perform(stage, _intent(action, touched, template), scene)
    finally:
        scene.locate = before


def _intent(action: Action, touched: Candidate | None, template: str) -> Intent:
    target = _NAMELESS if touched is None else Target(_literal(touched.name), quoted=True)
    match action.do:
        case "click":
            return Click(target)
        case "fill":
            return Fill(((Value(template), target),))
        case "select":
            return Select(Value(template), target)
        case "press":
            return Press(action.value, target if touched is not None else None)
        case "open":
            return Open(Target(_literal(action.value), quoted=True))


def _literal(text: str) -> str:
    """Take out of a page's or a model's words what would be read as a variable."""
    return text.replace("${", "$ {")
