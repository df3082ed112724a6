"""Pointer and keys: click, hover, focus, scroll, drag, press."""

from __future__ import annotations

from typing import Final, Literal, cast

from services.runs.engine.actions.acting import Hand, bounded
from services.runs.engine.actions.models import Found, Impossible
from services.runs.engine.browser.grips import Grip
from services.runs.engine.language.models import Click, Drag, Focus, Hover, Press, Scroll, Target
from services.runs.engine.resolver.models import Wanted

STEP_OF_SCROLLING: Final = 0.8
"""Share of the viewport that "scroll down" moves."""

_SCROLL: Final = {
    "top": "window.scrollTo(0, 0)",
    "bottom": "window.scrollTo(0, document.documentElement.scrollHeight)",
}


async def locate(hand: Hand, target: Target, verb: str) -> Found:
    """Find the element that a target means for a verb."""
    scene = hand.scene
    wanted = Wanted(target, verb, scene.last_form, scene.secret)
    return await scene.locate(hand.stage, wanted, scene)


async def click(hand: Hand, intent: Click) -> None:
    """Click what is called so."""
    found = await locate(hand, intent.target, "click")
    await click_on(hand, found, intent.button, intent.times)


async def click_on(hand: Hand, found: Found, button: str = "left", times: int = 1) -> None:
    """Click an element: scrolled into view, at rest and not covered."""
    if not found.candidate.enabled:
        raise Impossible("disabled", f"“{found.candidate.name}” is disabled.")
    pressed = cast(Literal["left", "middle", "right"], button)

    async def act(grip: Grip, seconds: float) -> None:
        limit = seconds * 1000
        if times == 2:
            await grip.locator.dblclick(button=pressed, timeout=limit)
        else:
            await grip.locator.click(button=pressed, click_count=times, timeout=limit)

    verb = {1: "Click", 2: "Double-click"}.get(times, "Click")
    verb = verb if button == "left" else f"{button.capitalize()}-click"
    await hand.touch("click_element", found, act, text=f"{verb} “{found.candidate.name}”")


async def hover(hand: Hand, intent: Hover) -> None:
    """Move the pointer over an element."""
    found = await locate(hand, intent.target, "hover")
    await hand.touch(
        "click_element",
        found,
        lambda grip, seconds: grip.locator.hover(timeout=seconds * 1000),
        text=f"Hover over “{found.candidate.name}”",
    )


async def focus(hand: Hand, intent: Focus) -> None:
    """Give an element the focus."""
    found = await locate(hand, intent.target, "focus")
    await hand.touch(
        "click_element",
        found,
        lambda grip, seconds: grip.locator.focus(timeout=seconds * 1000),
        text=f"Focus “{found.candidate.name}”",
    )


async def press(hand: Hand, intent: Press) -> None:
    """Press keys, on an element or wherever the focus is."""
    text = f"Press {intent.keys}"
    if intent.target is not None:
        found = await locate(hand, intent.target, "press")
        await hand.touch(
            "press_key",
            found,
            lambda grip, seconds: grip.locator.press(intent.keys, timeout=seconds * 1000),
            text=f"{text} on “{found.candidate.name}”",
        )
        return
    keyboard = hand.stage.page.keyboard
    await hand.do(
        "press_key", lambda: bounded(keyboard.press(intent.keys), hand.seconds), text=text
    )


async def scroll(hand: Hand, intent: Scroll) -> None:
    """Scroll by most of a screen, to an end, or until an element is in view."""
    page = hand.stage.page
    if isinstance(intent.to, Target):
        found = await locate(hand, intent.to, "scroll")
        await hand.touch(
            "click_element",
            found,
            lambda grip, seconds: grip.locator.scroll_into_view_if_needed(timeout=seconds * 1000),
            text=f"Scroll to “{found.candidate.name}”",
        )
        return
    script = _SCROLL.get(intent.to)
    if script is not None:
        await hand.do(
            "press_key",
            lambda: bounded(page.evaluate(script), hand.seconds),
            text=f"Scroll to the {intent.to}",
        )
        return
    size = page.viewport_size or {"width": 1280, "height": 800}
    distance = size["height"] * STEP_OF_SCROLLING * (-1 if intent.to == "up" else 1)

    async def wheel() -> None:
        await bounded(page.mouse.move(size["width"] / 2, size["height"] / 2), hand.seconds)
        await bounded(page.mouse.wheel(0, distance), hand.seconds)

    await hand.do("press_key", wheel, text=f"Scroll {intent.to}")


async def drag(hand: Hand, intent: Drag) -> None:
    """Drag one element onto another, by the pointer."""
    source = await locate(hand, intent.source, "drag")
    destination = await locate(hand, intent.destination, "drag")
    mouse = hand.stage.page.mouse

    async def middle(grip: Grip, seconds: float) -> tuple[float, float]:
        handle = await grip.handle()
        await handle.scroll_into_view_if_needed(timeout=seconds * 1000)
        box = await handle.bounding_box()
        if box is None:
            raise Impossible("not_found", "What is to be dragged has no place on the page.")
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    async def work() -> None:
        await hand.on(destination, middle)
        await hand.on(source, lambda grip, seconds: grip.locator.hover(timeout=seconds * 1000))
        goal = await hand.on(destination, middle)
        await bounded(mouse.down(), hand.seconds)
        try:
            # The first moves begin the drag, the last one is what the destination sees.
            await bounded(mouse.move(*goal, steps=8), hand.seconds)
            await bounded(mouse.move(goal[0] + 1, goal[1] + 1), hand.seconds)
        finally:
            await bounded(mouse.up(), hand.seconds)

    text = f"Drag “{source.candidate.name}” to “{destination.candidate.name}”"
    await hand.do("click_element", work, found=source, text=text)
