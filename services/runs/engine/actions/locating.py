"""Finding the element that a step means, by the rules (contract sections 5.2 to 5.4)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from services.runs.engine.actions.acting import Hand
from services.runs.engine.actions.models import Found, Impossible, Scene
from services.runs.engine.browser.models import PageCrashed, PageStuck, Reading
from services.runs.engine.browser.stage import Stage
from services.runs.engine.language.describing import describe_target
from services.runs.engine.resolver.choosing import choose
from services.runs.engine.resolver.models import (
    Absent,
    Ambiguous,
    Candidate,
    Choice,
    Wanted,
)

Look = Callable[[Reading], Found | None]

PAUSE: Final = 0.1
"""Seconds between two readings of a page that does not yet show what is wanted."""

_LEADING: Final = frozenset({"link", "button", "menuitem"})
_TOGGLES: Final = frozenset({"button", "clickable", "link", "combobox"})
_MENU: Final = re.compile(r"\b(menu|navigation|nav|more|toggle)\b|☰|≡", re.IGNORECASE)


async def by_rules(
    stage: Stage,
    wanted: Wanted,
    scene: Scene,
    *,
    look: Look | None = None,
    rescue: Look | None = None,
    patience: float = 3.0,
) -> Found:
    """Read the page again and again until the rules decide, at most ``scene.timeout``.

    Args:
        stage: the page.
        wanted: in words.
        scene: the step's.
        look: asked of every reading before the rules.
        rescue: asked of every reading that the rules could not decide; taken once it has named
            the same element for ``patience`` seconds, so that a page that still loads is
            waited for.
        patience: seconds.

    Raises:
        Impossible: not found, ambiguous or disabled when the time was over.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + scene.timeout
    saving = _Saving(min(patience, scene.timeout / 2))
    has_opened = False
    while True:
        reading = await _read(stage, deadline)
        if look is not None and (found := look(reading)) is not None:
            return found
        outcome = choose(reading.candidates, wanted)
        if isinstance(outcome, Choice):
            return Found(outcome.candidate, "rule", outcome.score)
        if saving.holds(None if rescue is None else rescue(reading), clock()):
            return saving.found
        if saving.is_idle and not has_opened and isinstance(outcome, Absent):
            has_opened = await _open_menu(stage, wanted, scene, reading)
            if has_opened:
                deadline = max(deadline, clock() + 1.0)
                continue
        if clock() >= deadline:
            raise explain(wanted, outcome)
        await asyncio.sleep(PAUSE)


class _Saving:
    """What weak signals say, until they have said the same for long enough."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._found: Found | None = None
        self._since = 0.0

    @property
    def found(self) -> Found:
        assert self._found is not None  # asked for only where ``holds`` said so
        return self._found

    @property
    def is_idle(self) -> bool:
        return self._found is None

    def holds(self, found: Found | None, now: float) -> bool:
        """Note what is said now; tell whether it has been the same element all the time."""
        before, self._found = self._found, found
        if found is None:
            return False
        if before is None or not _is_same(before.candidate, found.candidate):
            self._since = now
        return now - self._since >= self._patience


async def _read(stage: Stage, deadline: float) -> Reading:
    """Read the page; one that is stuck may come round until the time is over."""
    while True:
        try:
            return await stage.read()
        except PageCrashed:
            raise
        except PageStuck:
            if asyncio.get_running_loop().time() >= deadline:
                raise


def explain(wanted: Wanted, outcome: Absent | Ambiguous) -> Impossible:
    """Say why the rules could not decide."""
    what = describe_target(wanted.target)
    if isinstance(outcome, Ambiguous):
        count = len(outcome.candidates)
        return Impossible(
            "ambiguous",
            f"{count} elements could be meant by {what}; say which, for instance by what it "
            "stands in or next to.",
            outcome.candidates,
        )
    if outcome.disabled is not None:
        return Impossible("disabled", f"“{outcome.disabled.name}” is disabled.", outcome.candidates)
    if outcome.missing not in ("", "target"):
        return Impossible(
            "not_found",
            f"{what} was not found: there is no “{outcome.missing}” on the page.",
            outcome.candidates,
        )
    return Impossible("not_found", f"{what} was not found on the page.", outcome.candidates)


async def _open_menu(stage: Stage, wanted: Wanted, scene: Scene, reading: Reading) -> bool:
    """Open the navigation menu, if what is wanted stands hidden in the page (contract 5.4)."""
    if wanted.verb != "open":
        return False
    hidden = [
        replace(one, visible=True)
        for one in reading.candidates
        if not one.visible and one.role in _LEADING
    ]
    if not isinstance(choose(hidden, wanted), Choice):
        return False
    toggles = [
        one
        for one in reading.candidates
        if one.visible and one.enabled and one.expanded is False and one.role in _TOGGLES
    ]
    ranked = sorted(toggles, key=_menu_rank)
    if not ranked or _menu_rank(ranked[0])[0] > 1:
        return False
    hand = Hand(stage, scene)
    found = Found(ranked[0], "rule", 0.0)
    await hand.touch(
        "click_element",
        found,
        lambda grip, seconds: grip.locator.click(timeout=seconds * 1000),
        text=f"Open the menu “{ranked[0].name}”",
    )
    return True


def _menu_rank(candidate: Candidate) -> tuple[int, int]:
    in_navigation = candidate.landmark in ("nav", "header")
    is_named = bool(_MENU.search(candidate.name))
    return (0 if is_named and in_navigation else 1 if is_named or in_navigation else 2), (
        candidate.order
    )


def _is_same(one: Candidate, other: Candidate) -> bool:
    return (one.role, one.name, one.frames) == (other.role, other.name, other.frames)
