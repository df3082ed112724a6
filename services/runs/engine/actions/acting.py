"""Touching the page: counted, allowed, bounded, settled and told.

Whatever Playwright or the page does meanwhile, an action ends in time. Elements are acted on by
native events of the browser; the page's own scripts are never asked what is there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar

from playwright.async_api import Error
from playwright.async_api import TimeoutError as Late

from services.runs.engine.actions.models import MOST_ACTIONS, Done, Found, Impossible, Scene
from services.runs.engine.browser.grips import Grip
from services.runs.engine.browser.models import Gone, Mark, PageCrashed, PageStuck, Settled
from services.runs.engine.browser.stage import Stage
from services.runs.engine.resolver.models import Candidate

T = TypeVar("T")

TOUCH: Final = 5.0
"""Seconds in which an element must become visible, still and uncovered to be acted on."""

TRIES: Final = 3
"""How often an element that the page has drawn anew meanwhile is looked for again."""

_GRACE: Final = 1.0
_DETACHED: Final = ("not attached", "Element is not attached")
_LEFT: Final = (
    "Execution context was destroyed",
    "Frame was detached",
    "Frame has been detached",
    "has been closed",
    "is interrupted by another navigation",
)
_CRASHED: Final = "crashed"
# Fields shadow what a form's element has of the same name; Playwright's own scripts trip over it.
_HIDDEN: Final = re.compile(r"TypeError: \w+\.(\w+) is not a function")
_COVER: Final = re.compile(r"(?:.* from )?(<[a-zA-Z][^>]*>).*intercepts pointer events")
_SAID: Final = tuple(
    re.compile(f' {name}="([^"]{{1,60}})"') for name in ("aria-label", "title", "id")
)


async def bounded(work: Awaitable[T], seconds: float) -> T:
    """Await something of Playwright's, and not longer than that.

    Raises:
        Gone: the element is not in the page any more, so nothing was done.
        PageStuck: no answer in time.
        Late: Playwright's own, which says what it waited for.
    """
    try:
        async with asyncio.timeout(seconds + _GRACE):
            return await work
    except Late:
        raise
    except TimeoutError as error:
        raise PageStuck(f"the page did not answer within {seconds:g} s") from error
    except Error as error:
        if any(word in error.message for word in _DETACHED):
            raise Gone("the element went away") from error
        if _CRASHED in error.message:
            raise PageCrashed("the page crashed") from error
        raise


class Hand:
    """Acts on one stage for one step."""

    def __init__(self, stage: Stage, scene: Scene) -> None:
        self.stage = stage
        self.scene = scene

    @property
    def seconds(self) -> float:
        """How long an element may take to become fit to be acted on."""
        return max(0.5, min(TOUCH, self.scene.timeout))

    async def do(
        self,
        tool: str,
        work: Callable[[], Awaitable[object]],
        *,
        found: Found | None = None,
        value: str | None = None,
        text: str = "",
        url: str | None = None,
        settles: bool = True,
        answers: bool = False,
    ) -> Settled:
        """Do one action and wait until what it began is over.

        Args:
            tool: the word for it (contract 8.1).
            work: what to do.
            found: the element it is done to.
            value: what is typed or picked.
            text: what is done, for people.
            url: where to, for ``goto``.
            settles: False where nothing can come of it.
            answers: whether it deals with dialogs that came up before.

        Raises:
            Impossible: there were too many, or it could not be done.
        """
        stage, scene = self.stage, self.scene
        mark = await self._begin(answers)
        clock = asyncio.get_running_loop().time
        began = clock()
        done = Done(
            tool,
            None if found is None else found.candidate,
            value,
            text,
            stage.page.url if url is None else url,
            source="rule" if found is None else found.source,
        )
        settled, ok = Settled(), False
        try:
            await _done(work)
            if settles:
                settled = await stage.settle(mark)
            ok = True
        finally:
            elapsed = round((clock() - began) * 1000)
            await scene.on_action(replace(done, ok=ok, ms=elapsed))
        if settled.navigated:
            scene.last_form = None
        elif found is not None and found.candidate.form:
            scene.last_form = found.candidate.form
        self._arrived(stage.refused(mark))
        return settled

    async def _begin(self, answers: bool) -> Mark:
        """Ask whether another action may be done, and remember the moment before it."""
        scene = self.scene
        if scene.actions >= MOST_ACTIONS:
            raise Impossible(
                "too_many_actions", f"A step may take {MOST_ACTIONS} actions; this one needs more."
            )
        scene.check()
        scene.actions += 1
        mark = await self.stage.mark()
        if scene.mark is None:
            scene.mark = mark
        if not answers:
            scene.dialogs = len(self.stage.dialogs)
        return mark

    async def touch(
        self,
        tool: str,
        found: Found,
        act: Callable[[Grip, float], Awaitable[object]],
        *,
        value: str | None = None,
        text: str = "",
        settles: bool = True,
    ) -> Settled:
        """Do one action to an element; ``act`` gets it, and seconds for it.

        Raises:
            Impossible: it is covered, not fit, or gone.
        """

        async def work() -> None:
            await self.on(found, act)

        return await self.do(tool, work, found=found, value=value, text=text, settles=settles)

    async def on(self, found: Found, act: Callable[[Grip, float], Awaitable[T]]) -> T:
        """Do something to an element, which is looked for again if the page has drawn it anew."""
        candidate = found.candidate
        for tries in range(1, TRIES + 1):
            try:
                grip = self.stage.grip(candidate)
                return await bounded(act(grip, self.seconds), self.seconds * 2)
            except Gone:
                if tries == TRIES:
                    break
                candidate = await self._again(found.candidate)
            except Late as late:
                raise _unfit(candidate, late.message) from late
        raise Impossible("not_found", f"“{candidate.name}” vanished before it could be used.")

    async def _again(self, lost: Candidate) -> Candidate:
        """Find an element of another reading that has the same role, name and place."""
        reading = await self.stage.read()
        same = [
            one
            for one in reading.candidates
            if (one.role, one.name, one.frames) == (lost.role, lost.name, lost.frames)
            and one.visible
        ]
        exact = [one for one in same if one.css == lost.css and one.row_text == lost.row_text]
        if len(same) == 1 or len(exact) == 1:
            return exact[0] if len(exact) == 1 else same[0]
        raise Impossible("not_found", f"“{lost.name}” vanished before it could be used.")

    def _arrived(self, refused: tuple[str, ...]) -> None:
        """See that the page is none of the browser's own about an address it could not show."""
        if not self.stage.page.url.startswith("chrome-error:"):
            return
        if refused:
            raise Impossible(
                "url_not_allowed",
                f"It leads to {refused[-1]}, which may not be reached from here; whoever runs "
                "this installation can open it with GUILDHALL_URL_ALLOW.",
            )
        raise Impossible("unreachable", "It leads to an address that gives no answer.")


async def _done(work: Callable[[], Awaitable[object]]) -> None:
    try:
        await work()
    except Error as error:
        if _CRASHED in error.message:
            raise PageCrashed("the page crashed") from error
        if hidden := _HIDDEN.search(error.message):
            raise Impossible(
                "not_supported",
                f"The page hides “{hidden[1]}” of its elements from whoever acts on them: most "
                "likely a field in its form has that name, and would have to be called otherwise.",
            ) from error
        # The page left while it was acted on: what was to be done is done.
        if not any(word in error.message for word in _LEFT):
            raise Impossible("not_supported", f"The browser refused: {_first(error)}") from error


def _unfit(candidate: Candidate, log: str) -> Impossible:
    """Say from Playwright's log why an element could not be acted on."""
    name = f"“{candidate.name}”" if candidate.name else f"the {candidate.role}"
    covers = _COVER.findall(log)
    if covers:
        tag = covers[-1]
        said = next((found[1] for one in _SAID if (found := one.search(tag))), "")
        what = f"“{said}”" if said else f"a {tag[1:].split()[0].rstrip('>')} element"
        return Impossible("covered", f"{name} is covered by {what}, which takes the click.")
    if "not enabled" in log:
        return Impossible("disabled", f"{name} is disabled.")
    if "not editable" in log or "readonly" in log:
        return Impossible("not_editable", f"{name} takes no text.")
    if "not visible" in log:
        return Impossible("not_found", f"{name} is not visible.")
    return Impossible("timeout", f"{name} did not come to rest in time.")


def _first(error: Error) -> str:
    return error.message.split("\n", 1)[0][:200]
