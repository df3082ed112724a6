"""Carrying out an intent: which hand does what."""

from __future__ import annotations

from services.runs.engine.actions import (
    filling,
    forms,
    opening,
    pointing,
    toggling,
    uploading,
    waiting,
    windows,
)
from services.runs.engine.actions import picking as lists
from services.runs.engine.actions.acting import Hand
from services.runs.engine.actions.models import Scene
from services.runs.engine.browser.stage import Stage
from services.runs.engine.language.filling import fill_intent
from services.runs.engine.language.models import (
    AnswerDialog,
    Clear,
    Click,
    CloseTab,
    Drag,
    Fill,
    Focus,
    Go,
    Hover,
    Intent,
    LogIn,
    Open,
    Press,
    Scroll,
    Search,
    Select,
    Submit,
    SwitchTab,
    Toggle,
    Upload,
    WaitFor,
)


async def perform(stage: Stage, intent: Intent, scene: Scene) -> None:
    """Carry out an intent on the current page; what it does is told to ``scene.on_action``.

    Args:
        stage: where.
        intent: not filled in yet: where a value comes from says which field fits it.
        scene: of the step.

    Raises:
        Impossible: it cannot be carried out.
        UnknownName: for a name that nothing binds; nothing was done then.
        PageStuck: the page does not answer.
        BrowserGone: the browser died.
    """
    hand = Hand(stage, scene)
    filled = fill_intent(intent, scene.variables.fill)
    match intent:
        # Where these values come from must stay known, so they fill them in themselves.
        case Open():
            await opening.open_page(hand, intent)
        case Fill():
            await filling.fill(hand, intent.values)
        case LogIn():
            await forms.log_in_with(hand, intent.values)
        case Search():
            await forms.search(hand, intent)
        case _:
            await _perform(hand, filled)


async def _perform(hand: Hand, intent: Intent) -> None:  # noqa: C901 (a table, by kind)
    match intent:
        case Click():
            await pointing.click(hand, intent)
        case Clear():
            await filling.clear(hand, intent)
        case Select():
            await lists.select(hand, intent.option.template, intent.field)
        case Toggle():
            await toggling.toggle(hand, intent)
        case Press():
            await pointing.press(hand, intent)
        case Hover():
            await pointing.hover(hand, intent)
        case Focus():
            await pointing.focus(hand, intent)
        case Scroll():
            await pointing.scroll(hand, intent)
        case Drag():
            await pointing.drag(hand, intent)
        case Upload():
            await uploading.upload(hand, intent)
        case WaitFor():
            await waiting.wait_for(hand, intent)
        case Go():
            await windows.go(hand, intent)
        case AnswerDialog():
            await windows.answer(hand, intent)
        case SwitchTab():
            await windows.switch_tab(hand, intent.target)
        case CloseTab():
            await windows.close_tab(hand, intent.target)
        case Submit():
            await forms.submit(hand, intent)
        case _:
            raise TypeError(intent)
