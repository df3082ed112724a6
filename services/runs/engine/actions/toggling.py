"""Checkboxes, radio buttons and switches."""

from __future__ import annotations

from contextlib import suppress

from playwright.async_api import Error

from services.runs.engine.actions.acting import Hand, bounded
from services.runs.engine.actions.models import Found, Impossible
from services.runs.engine.actions.pointing import locate
from services.runs.engine.browser.grips import Grip
from services.runs.engine.browser.models import Gone
from services.runs.engine.language.models import Toggle
from services.runs.engine.resolver.models import Candidate


async def toggle(hand: Hand, intent: Toggle) -> None:
    """Switch what is called so ``on``, ``off``, or over."""
    await toggle_on(hand, await locate(hand, intent.target, "toggle"), intent.to)


async def toggle_on(hand: Hand, found: Found, to: str) -> None:
    """Switch an element; one that already is as wanted is left alone.

    Raises:
        Impossible: its state cannot be read, or did not change.
    """
    candidate = found.candidate
    if not candidate.enabled:
        raise Impossible("disabled", f"“{candidate.name}” is disabled.")
    # What was just read of a native box is what asking again would say.
    before = candidate.checked if _is_native(candidate) else None
    if before is None:
        before = await hand.on(found, _is_on)
    if before is None:
        before = candidate.checked
    if before is None:
        raise Impossible("not_supported", f"“{candidate.name}” has no state that can be read.")
    wanted = (not before) if to == "flip" else to == "on"
    word = "on" if wanted else "off"
    if before == wanted:
        text = f"“{candidate.name}” is already {word}"
        await hand.do("set_field", _nothing, found=found, value=word, text=text, settles=False)
        return
    if candidate.role == "radio" and not wanted:
        raise Impossible("not_supported", f"“{candidate.name}” can only be switched on.")

    async def act(grip: Grip, seconds: float) -> None:
        await grip.face.click(timeout=seconds * 1000)
        after = await _is_on_after(grip, candidate, seconds)
        if after is not None and after != wanted:
            raise Impossible("not_accepted", f"“{candidate.name}” did not change.")

    await hand.touch("set_field", found, act, value=word, text=f"Switch “{candidate.name}” {word}")


def _is_native(candidate: Candidate) -> bool:
    is_box = candidate.input_type in ("checkbox", "radio") and candidate.tag == "input"
    return is_box and candidate.role in ("checkbox", "radio", "switch")


async def _is_on(grip: Grip, seconds: float) -> bool | None:
    limit = seconds * 1000
    with suppress(Error):
        return await bounded(grip.locator.is_checked(timeout=limit), seconds)
    pressed = await bounded(grip.locator.get_attribute("aria-pressed", timeout=limit), seconds)
    return None if pressed is None else pressed == "true"


async def _is_on_after(grip: Grip, candidate: Candidate, seconds: float) -> bool | None:
    """Give the state after the click; None if the page drew it anew or left."""
    if _is_native(candidate):
        held = await grip.holding(seconds)
        return None if held is None else held.checked
    with suppress(Gone):
        return await _is_on(grip, seconds)
    return None


async def _nothing() -> None:
    return None
