"""Waiting: for an element or a text, for its end, for a time. Always bounded."""

from __future__ import annotations

import asyncio
from typing import Final

from services.runs.engine.actions.acting import Hand
from services.runs.engine.actions.locating import PAUSE
from services.runs.engine.actions.models import Impossible
from services.runs.engine.browser.models import PageCrashed, PageStuck
from services.runs.engine.language.describing import describe_target
from services.runs.engine.language.models import Target, WaitFor
from services.runs.engine.resolver.choosing import choose
from services.runs.engine.resolver.models import Absent, Wanted

LONGEST: Final = 30.0
"""Seconds that a step may wait for a time to pass."""

PATIENCE: Final = 3.0
"""How many times longer than for a click is waited for what a step says to wait for."""


async def wait_for(hand: Hand, intent: WaitFor) -> None:
    """Wait; without target and time until the page has settled."""
    if intent.target is not None:
        await _for_target(hand, intent.target, intent.gone, intent.seconds)
    elif intent.seconds is not None:
        seconds = intent.seconds
        if not 0 <= seconds <= LONGEST:
            raise Impossible("not_supported", f"A step waits at most {LONGEST:.0f} s.")
        text = f"Wait {seconds:g} s"
        await hand.do("read_dom", lambda: asyncio.sleep(seconds), text=text, settles=False)
    else:
        await hand.do("read_dom", lambda: asyncio.sleep(PAUSE), text="Wait for the page")


async def _for_target(hand: Hand, target: Target, gone: bool, seconds: float | None) -> None:
    patience = hand.scene.timeout * PATIENCE if seconds is None else min(seconds, LONGEST)
    what = describe_target(target)

    async def work() -> None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + patience
        while await _is_there(hand, target) == gone:
            if clock() >= deadline:
                state = "was still there" if gone else "did not come"
                raise Impossible("timeout", f"{what} {state} after {patience:g} s.")
            await asyncio.sleep(PAUSE)

    text = f"Wait until {what} is gone" if gone else f"Wait for {what}"
    await hand.do("read_dom", work, text=text, settles=not gone)


async def _is_there(hand: Hand, target: Target) -> bool:
    stage = hand.stage
    try:
        reading = await stage.read()
        if not isinstance(choose(reading.candidates, Wanted(target, "wait")), Absent):
            return True
        if not target.quoted or target.role is not None or target.relations:
            return False
        return " ".join(target.text.split()) in await stage.visible_text()
    except PageCrashed:
        raise
    except PageStuck:
        return False
