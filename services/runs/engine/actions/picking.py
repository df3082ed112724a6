"""Picking an option: of native selects, of lists that scripts draw, of radio buttons."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from playwright.async_api import ElementHandle

from services.runs.engine.actions.acting import Hand
from services.runs.engine.actions.locating import PAUSE, explain
from services.runs.engine.actions.models import Found, Impossible
from services.runs.engine.actions.pointing import click_on, locate
from services.runs.engine.actions.toggling import toggle_on
from services.runs.engine.browser.grips import Grip
from services.runs.engine.browser.models import Reading
from services.runs.engine.language.models import Relation, Target
from services.runs.engine.resolver.choosing import choose
from services.runs.engine.resolver.models import Absent, Candidate, Choice, Scored, Wanted

OFFER: Final = 2.0
"""Seconds in which a list that opens by itself must have opened."""

_CHOSEN_BY_CLICK: Final = frozenset({"radio", "checkbox", "option", "menuitemradio"})


async def select(hand: Hand, option: str, field: Target | None) -> None:
    """Pick an option in the field named, or in the only one that has it."""
    if field is None:
        await _pick_anywhere(hand, option)
        return
    inside = Target(option, quoted=True, relations=(Relation("in", field),))
    reading = await hand.stage.read()
    if not isinstance(choose(reading.candidates, Wanted(field, "select")), Choice):
        grouped = choose(reading.candidates, Wanted(inside, "toggle"))
        if isinstance(grouped, Choice) and grouped.candidate.role in _CHOSEN_BY_CLICK:
            hand.stage.keep_reading()
            await _take(hand, await locate(hand, inside, "toggle"))
            return
    hand.stage.keep_reading()
    await pick_in(hand, await locate(hand, field, "select"), option)


async def pick_in(hand: Hand, found: Found, option: str) -> None:
    """Pick an option in a field.

    Raises:
        Impossible: it has no such option, or several.
    """
    candidate = found.candidate
    if not candidate.enabled:
        raise Impossible("disabled", f"“{candidate.name}” is disabled.")
    if candidate.tag == "select":
        await _pick_native(hand, found, option)
    elif candidate.role in _CHOSEN_BY_CLICK:
        await _take(hand, found)
    else:
        await _pick_drawn(hand, found, option)


async def offer_on(hand: Hand, found: Found, option: str) -> None:
    """Pick what a field offers for the words just typed; words of its own are left standing."""
    offered = await _offered(hand, option, OFFER if hand.scene.timeout > OFFER else 0.5)
    if isinstance(offered, Candidate):
        await click_on(hand, Found(offered, found.source, found.score))


async def _pick_native(hand: Hand, found: Found, option: str) -> None:
    candidate = found.candidate
    label = matching(candidate.options, option)

    async def act(grip: Grip, seconds: float) -> None:
        limit = seconds * 1000
        if label is None:
            chosen = await _by_value(await grip.handle(), option)
            if chosen is None:
                raise Impossible("not_found", _no_option(candidate, option))
            await grip.locator.select_option(value=chosen, timeout=limit)
            return
        labels = [label]
        if candidate.role == "listbox":
            before = await grip.holding(seconds)
            labels += before.options if before else ()
        await grip.locator.select_option(label=labels, timeout=limit)
        held = await grip.holding(seconds)
        # A page that draws the list anew has taken the option.
        if held is not None and _squeezed(label) not in map(_squeezed, held.options):
            raise Impossible("not_accepted", f"“{candidate.name}” did not keep the option.")

    await hand.touch(
        "set_field", found, act, value=option, text=f"Select an option in “{candidate.name}”"
    )


async def _by_value(handle: ElementHandle, value: str) -> str | None:
    options = await handle.query_selector_all("css=option")
    for one in options[:500]:
        if await one.get_attribute("value") == value:
            return value
    return None


async def _pick_drawn(hand: Hand, found: Found, option: str) -> None:
    """Open a list that scripts draw, write the option's name where that can be, and click it."""
    candidate = found.candidate
    offered = await _offered(hand, option, 0.0)
    if not isinstance(offered, Candidate):
        if candidate.editable:
            await hand.touch(
                "set_field",
                found,
                lambda grip, seconds: grip.locator.fill(option, timeout=seconds * 1000),
                value=option,
                text=f"Write into “{candidate.name}”",
            )
        elif candidate.expanded is not True and candidate.role != "listbox":
            await click_on(hand, found)
        offered = await _offered(hand, option, hand.scene.timeout)
    if not isinstance(offered, Candidate):
        raise Impossible("not_found", _no_option(candidate, option), offered)
    await click_on(hand, Found(offered, found.source, found.score))


async def _offered(hand: Hand, option: str, seconds: float) -> Candidate | tuple[Scored, ...]:
    """Wait for a visible option of that name; else what is offered instead.

    Raises:
        Impossible: several are offered.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while True:
        reading = await hand.stage.read()
        options = [one for one in _offers(reading) if one.enabled]
        label = matching([one.name for one in options], option)
        named = [one for one in options if one.name == label]
        if len(named) == 1:
            return named[0]
        if clock() >= deadline:
            shown = tuple(Scored(one, 0.0) for one in (named or options)[:5])
            if named:
                raise Impossible("ambiguous", f"“{option}” is offered several times.", shown)
            return shown
        await asyncio.sleep(PAUSE)


def _offers(reading: Reading) -> list[Candidate]:
    return [one for one in reading.candidates if one.visible and one.role == "option"]


async def _pick_anywhere(hand: Hand, option: str) -> None:
    """Pick an option in whatever select, list or group of radio buttons holds it."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + hand.scene.timeout
    wanted = Wanted(Target(option, quoted=True), "toggle", hand.scene.last_form)
    while True:
        reading = await hand.stage.read()
        holders = [
            one
            for one in reading.candidates
            if (one.visible and one.tag == "select" and matching(one.options, option))
            or (
                one.visible
                and one.role in _CHOSEN_BY_CLICK
                and matching([one.name], option) is not None
            )
        ]
        if len(holders) == 1:
            await pick_in(hand, Found(holders[0], "rule", 100.0), option)
            return
        if clock() >= deadline:
            shown = tuple(Scored(one, 100.0) for one in holders[:5])
            if shown:
                message = f"“{option}” can be picked in {len(holders)} places; say in which."
                raise Impossible("ambiguous", message, shown)
            outcome = choose(reading.candidates, wanted)
            near = outcome if isinstance(outcome, Absent) else Absent(())
            raise explain(wanted, near)
        await asyncio.sleep(PAUSE)


async def _take(hand: Hand, found: Found) -> None:
    if found.candidate.role in ("radio", "checkbox"):
        await toggle_on(hand, found, "on")
    else:
        await click_on(hand, found)


def matching(labels: Sequence[str], option: str) -> str | None:
    """Give the label that an option's name means: exactly so, else but for case and blanks."""
    if option in labels:
        return option
    plain = _squeezed(option).casefold()
    same = [label for label in labels if _squeezed(label).casefold() == plain]
    return same[0] if same and plain else None


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _no_option(candidate: Candidate, option: str) -> str:
    offered = ", ".join(f"“{label}”" for label in candidate.options[:8])
    text = f"“{candidate.name}” has no option “{option}”"
    return f"{text}; it has {offered}." if offered else f"{text}."
