"""Tabs, history and the browser's own dialogs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from playwright.async_api import Page

from services.runs.engine.actions.acting import Hand, bounded
from services.runs.engine.actions.concepts import plain
from services.runs.engine.actions.locating import PAUSE
from services.runs.engine.actions.models import Impossible, Scene
from services.runs.engine.actions.pointing import click
from services.runs.engine.browser.stage import Stage
from services.runs.engine.language.filling import fill_intent
from services.runs.engine.language.models import AnswerDialog, Click, Go, Intent, Target
from services.runs.engine.resolver.choosing import choose
from services.runs.engine.resolver.models import Ambiguous, Choice, Wanted

HISTORY: Final = 15.0
"""Seconds for going back, forward or loading again."""

LATE_DIALOG: Final = 1.0
"""Seconds in which a dialog that an action brings up must have come."""


def foresee(stage: Stage, upcoming: Intent | None, scene: Scene) -> None:
    """Prepare for what follows an action: a dialog is answered as soon as it comes up.

    Call it right before an action with the intent that comes after it, unfilled. Without it a
    dialog that nobody expects is dismissed before the step that accepts it begins.
    """
    if isinstance(upcoming, AnswerDialog) and not scene.is_dialog_foreseen:
        _expect(stage, upcoming, scene)
        scene.is_dialog_foreseen = True


def _expect(stage: Stage, intent: AnswerDialog, scene: Scene) -> None:
    filled = fill_intent(intent, scene.variables.fill)
    assert isinstance(filled, AnswerDialog)  # filling in changes no kind
    stage.expect_dialog(filled.accept, None if filled.text is None else filled.text.template)


async def answer(hand: Hand, intent: AnswerDialog) -> None:
    """Answer the dialog that has come up, or say how the next one is answered."""
    stage, scene = hand.stage, hand.scene
    word = "Accept" if intent.accept else "Dismiss"
    value = None if intent.text is None else intent.text.template
    deadline = asyncio.get_running_loop().time() + min(LATE_DIALOG, scene.timeout)
    while scene.is_dialog_foreseen and len(stage.dialogs) <= scene.dialogs:
        if asyncio.get_running_loop().time() >= deadline:
            break
        await asyncio.sleep(PAUSE)
    new = stage.dialogs[scene.dialogs :]
    scene.dialogs = len(stage.dialogs)
    was_foreseen, scene.is_dialog_foreseen = scene.is_dialog_foreseen, False
    if new:
        last = new[-1]
        if last.accepted != intent.accept:
            done = "accepted" if last.accepted else "dismissed"
            raise Impossible("not_found", f"The dialog “{last.message[:200]}” had been {done}.")
        text = f"{word} “{last.message[:200]}”"
    elif was_foreseen:
        stage.expect_no_dialog()
        raise Impossible("not_found", "No dialog came up.")
    else:
        stage.expect_dialog(intent.accept, value)
        text = f"{word} the next dialog"
    await hand.do("press_key", _nothing, value=value, text=text, answers=True)


async def go(hand: Hand, intent: Go) -> None:
    """Go back, forward, or load again."""
    page = hand.stage.page
    before = page.url
    limit = HISTORY * 1000

    async def work() -> None:
        if intent.to == "reload":
            await bounded(page.reload(wait_until="domcontentloaded", timeout=limit), HISTORY)
            return
        move = page.go_back if intent.to == "back" else page.go_forward
        answer = await bounded(move(wait_until="domcontentloaded", timeout=limit), HISTORY)
        if answer is None and page.url in (before, "about:blank"):
            raise Impossible("not_found", f"There is no page to go {intent.to} to.")

    await hand.do("goto", work, text=f"Go {intent.to}" if intent.to != "reload" else "Reload")


async def switch_tab(hand: Hand, target: Target | int) -> None:
    """Make a tab the current one; where the browser has only one, a tab of the page is meant."""
    if isinstance(target, Target) and await _is_of_page(hand, target):
        await click(hand, Click(replace(target, role="tab")))
        return
    page, name = await _tab(hand, target)
    await hand.do(
        "click_element",
        lambda: hand.stage.switch_to(page),
        text=f"Switch to the tab {name}",
    )


async def _is_of_page(hand: Hand, target: Target) -> bool:
    """Whether a page that is alone, and not called so itself, has a tab of that name."""
    if not target.text or len(hand.stage.pages) != 1 or await _titled(hand.stage.pages, target):
        return False
    candidates = (await hand.stage.read()).candidates
    outcome = choose(candidates, Wanted(replace(target, role="tab"), "click"))
    return isinstance(outcome, Ambiguous) or (
        isinstance(outcome, Choice) and outcome.candidate.role == "tab"
    )


async def close_tab(hand: Hand, target: Target | int | None) -> None:
    """Close a tab, the current one by default."""
    page: Page | None = None
    name = "the current one"
    if target is not None:
        page, name = await _tab(hand, target)
    await hand.do("click_element", lambda: hand.stage.close_tab(page), text=f"Close a tab: {name}")


async def _tab(hand: Hand, target: Target | int) -> tuple[Page, str]:
    clock = asyncio.get_running_loop().time
    deadline = clock() + hand.scene.timeout
    while True:
        pages = hand.stage.pages
        found = (
            _numbered(pages, target) if isinstance(target, int) else await _titled(pages, target)
        )
        if len(found) == 1:
            return found[0], str(target) if isinstance(target, int) else f"“{target.text}”"
        if clock() >= deadline:
            if found:
                raise Impossible("ambiguous", f"{len(found)} tabs are called so.")
            raise Impossible("not_found", f"There is no such tab among {len(pages)}.")
        await asyncio.sleep(PAUSE)


def _numbered(pages: Sequence[Page], number: int) -> list[Page]:
    place = number - 1 if number > 0 else len(pages) + number
    return [pages[place]] if number and 0 <= place < len(pages) else []


async def _titled(pages: Sequence[Page], target: Target) -> list[Page]:
    """Give the tabs whose title is so, else those whose title or address has it in it."""
    if target.ordinal is not None and not target.text:
        return _numbered(pages, target.ordinal)
    wanted = plain(target.text)
    titles = [plain(await bounded(page.title(), 2.0)) for page in pages]
    exact = [page for page, title in zip(pages, titles, strict=True) if title == wanted]
    if exact or not wanted:
        return exact
    return [
        page
        for page, title in zip(pages, titles, strict=True)
        if wanted in title or target.text in page.url
    ]


async def _nothing() -> None:
    return None
