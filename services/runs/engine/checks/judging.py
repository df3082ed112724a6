"""Judging a check: looked at again and again until it holds, at most 5 s (contract 4.2, 16).

Nothing here loosens what a suite expects, and what was not seen has not passed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from services.runs.engine.actions.models import Scene
from services.runs.engine.browser.models import Gone, PageCrashed, PageStuck
from services.runs.engine.browser.stage import Stage
from services.runs.engine.checks import outside, pages, states, texts
from services.runs.engine.checks.looking import Eye, Look, Missing, Seen
from services.runs.engine.checks.models import Judged, Undecidable
from services.runs.engine.checks.outside import Baselines
from services.runs.engine.checks.telling import expectation
from services.runs.engine.grammar.models import Check
from services.runs.engine.probes.api import LONGEST_OBSERVED

SECONDS: Final = 5.0
"""For a check that does not hold yet."""

PAUSE: Final = 0.1

_LOOKS: Final[Mapping[str, Look]] = {
    "url": pages.url,
    "visible_text": texts.visible_text,
    "absent_text": texts.absent_text,
    "element_visible": states.element_visible,
    "value": states.value,
    "count": states.count,
    "enabled": states.enabled,
    "disabled": states.disabled,
    "checked": states.checked,
    "title": pages.title,
    "attribute": states.attribute,
    "request": pages.request,
    "no_console_errors": pages.no_console_errors,
    "logged_in": pages.logged_in,
    "error_shown": pages.error_shown,
}

_ONCE: Final = frozenset({"api", "screenshot"})
"""Kinds that do something, so that they are not repeated."""


async def judge(
    stage: Stage,
    check: Check,
    scene: Scene,
    *,
    baselines: Baselines | None = None,
    seconds: float = SECONDS,
) -> Judged:
    """Judge a check on the current page.

    Args:
        stage: the page.
        check: its strings are templates.
        scene: of the case.
        baselines: for ``screenshot``.
        seconds: until it counts as failed.

    Raises:
        Undecidable: it cannot be decided here.
        UnknownName: for a name that nothing binds.
        PageStuck: the page does not answer.
        BrowserGone: the browser died.
    """
    eye = Eye(stage, scene, check)
    expected = expectation(eye)
    seen = await _polled(eye, baselines, seconds)
    if seen.trouble is not None and not _passes(check, seen):
        raise seen.trouble
    return Judged(_passes(check, seen), expected, seen.observed[:LONGEST_OBSERVED])


async def holds_now(stage: Stage, check: Check, scene: Scene) -> bool:
    """Tell whether a check holds at this moment; those that do something are not tried."""
    if check.kind in _ONCE or check.kind not in _LOOKS:
        return False
    try:
        return _passes(check, await _look(Eye(stage, scene, check), None))
    except (Undecidable, PageStuck):
        return False


async def _polled(eye: Eye, baselines: Baselines | None, seconds: float) -> Seen:
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while True:
        stuck: PageStuck | None = None
        seen = None
        try:
            seen = await _look(eye, baselines)
        except PageCrashed:
            raise
        except PageStuck as error:
            stuck = error
        if seen is not None and (_passes(eye.check, seen) or eye.check.kind in _ONCE):
            return seen
        if clock() >= deadline:
            if seen is None:
                assert stuck is not None  # one of the two has come
                raise stuck
            return seen
        await asyncio.sleep(PAUSE)
        eye.again()


async def _look(eye: Eye, baselines: Baselines | None) -> Seen:
    """Look once."""
    kind = eye.check.kind
    if kind == "api":
        return await outside.api(eye)
    if kind == "screenshot":
        return await outside.screenshot(eye, baselines)
    look = _LOOKS.get(kind)
    if look is None:
        raise Undecidable("unknown_check", f"There is no check of the kind “{kind[:80]}”.")
    try:
        return await look(eye)
    except Missing as missing:
        return missing.seen
    except Gone:
        return Seen(False, "the page went away", is_there=False)


def _passes(check: Check, seen: Seen) -> bool:
    """Tell whether a check passes; the one place that knows ``not``."""
    is_turned = bool(check.parameters.get("not"))
    return seen.is_there and seen.holds != is_turned
