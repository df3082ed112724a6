"""What is so about one element, and how many there are."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Final
from urllib.parse import urljoin

from playwright.async_api import ElementHandle, Error

from services.runs.engine.actions.acting import bounded
from services.runs.engine.checks.looking import TOUCH, Eye, Missing, Seen, Spot, compare, quoted
from services.runs.engine.language.models import Target
from services.runs.engine.resolver.choosing import rank
from services.runs.engine.resolver.models import ACCEPT, LEAD, Wanted

MOST_COUNTED: Final = 1_000

_COUNTED: Final = {
    "row": "tr:has(> td), [role=row]:has([role=cell], [role=gridcell])",
    "listitem": "li, [role=listitem]",
    "card": "article, [role=article], [class~=card]",
    "option": "option, [role=option]",
    "column": "th, [role=columnheader]",
    "cell": "td, [role=cell], [role=gridcell]",
    "tab": "[role=tab]",
    "link": "a[href], [role=link]",
    "button": "button, [role=button], input[type=submit], input[type=button]",
    "checkbox": "input[type=checkbox], [role=checkbox]",
    "radio": "input[type=radio], [role=radio]",
    "image": "img, [role=img]",
    "heading": "h1, h2, h3, h4, h5, h6, [role=heading]",
    "table": "table, [role=table], [role=grid]",
    "alert": "[role=alert], [role=status]",
    "field": "input:not([type=hidden]), textarea, select",
}
_MASK: Final = "••••"


async def element_visible(eye: Eye) -> Seen:
    """Look whether anybody could see the element; several of them are seen as well as one."""
    try:
        spot = await eye.spot()
    except Missing as missing:
        seen = missing.seen
        if seen.trouble is not None and seen.trouble.reason == "ambiguous":
            return Seen(True, seen.observed)
        return Seen(False, seen.observed)
    return Seen(True, f"{spot.name} is visible")


async def value(eye: Eye) -> Seen:
    """Look what stands in a field; of a select its value or the option shown."""
    spot = await eye.spot()
    held = await _held(spot)
    is_password = await bounded(spot.handle.get_attribute("type"), TOUCH) == "password"
    shown = _MASK if is_password and held[0] else held[0]
    return Seen(any(compare(eye, one) for one in held), f"{spot.name} holds {quoted(shown)}")


async def _held(spot: Spot) -> list[str]:
    handle = spot.handle
    try:
        held = [await bounded(handle.input_value(timeout=TOUCH * 1000), TOUCH)]
    except Error:
        return [await bounded(handle.inner_text(), TOUCH)]
    chosen = await bounded(handle.query_selector_all("css=option:checked"), TOUCH)
    labels = [await bounded(one.inner_text(), TOUCH) for one in chosen[:20]]
    return [*(" ".join(label.split()) for label in labels), *held]


async def enabled(eye: Eye) -> Seen:
    """Look whether the element can be used."""
    spot = await eye.spot()
    is_enabled = await _is_enabled(spot)
    return Seen(is_enabled, f"{spot.name} is {'enabled' if is_enabled else 'disabled'}")


async def disabled(eye: Eye) -> Seen:
    """Look whether the element cannot be used."""
    spot = await eye.spot()
    is_enabled = await _is_enabled(spot)
    return Seen(not is_enabled, f"{spot.name} is {'enabled' if is_enabled else 'disabled'}")


async def _is_enabled(spot: Spot) -> bool:
    if spot.candidate is not None and not spot.candidate.enabled:
        return False
    return await bounded(spot.handle.is_enabled(), TOUCH)


async def checked(eye: Eye) -> Seen:
    """Look whether a checkbox, radio button, switch, tab or toggle is on."""
    spot = await eye.spot()
    state = await _state(spot.handle)
    if state is None:
        return Seen(False, f"{spot.name} can neither be checked nor unchecked", False)
    return Seen(state, f"{spot.name} is {'checked' if state else 'not checked'}")


async def _state(handle: ElementHandle) -> bool | None:
    with suppress(Error):
        return await bounded(handle.is_checked(), TOUCH)
    for name in ("aria-checked", "aria-selected", "aria-pressed"):
        said = await bounded(handle.get_attribute(name), TOUCH)
        if said is not None:
            return said == "true"
    return None


async def attribute(eye: Eye) -> Seen:
    """Look at an attribute of the element; an address counts as written and as it resolves."""
    spot = await eye.spot()
    name = eye.text("name") or ""
    said = await bounded(spot.handle.get_attribute(name), TOUCH)
    if said is None:
        return Seen(False, f"{spot.name} has no {name}")
    forms = [said]
    if name in ("href", "src", "action"):
        frame = await bounded(spot.handle.owner_frame(), TOUCH)
        forms.append(urljoin(eye.stage.page.url if frame is None else frame.url, said))
    shown = f"{name} of {spot.name} is {quoted(said)}"
    return Seen(any(compare(eye, form) for form in forms), shown)


async def count(eye: Eye) -> Seen:
    """Count the visible elements that the hint means."""
    number = await _counted(eye)
    equals, least, most = eye.number("equals"), eye.number("at_least"), eye.number("at_most")
    holds = (
        (equals is None or number == equals)
        and (least is None or number >= least)
        and (most is None or number <= most)
    )
    return Seen(holds, f"{number} of {eye.hint_in_words()}")


async def _counted(eye: Eye) -> int:
    css = eye.css()
    if css is not None:
        return await _visible(await _matched(eye, css))
    target = eye.target()
    assert target is not None  # else it is a selector
    sort = _COUNTED.get(target.role or "")
    if not target.text and sort is not None:
        return await _visible(await _inside(eye, target, sort))
    reading = await eye.reading()
    ranked = [one for one in rank(reading.candidates, Wanted(target, "see"))]
    fit = [one for one in ranked if one.score >= ACCEPT]
    return len([one for one in fit if one.score > fit[0].score - LEAD])


async def _inside(eye: Eye, target: Target, sort: str) -> list[ElementHandle]:
    """Give what is of a sort: in the place that is named, else in the page's main part."""
    if target.relations and target.relations[0].kind == "row":
        held, further = target.relations[0].target, target.relations[1:]
        if held.text:
            # "Rows containing 'x'" are those that hold it, not those inside of it.
            holding = f":is({sort}):has-text({json.dumps(held.text)})"
            return await _inside(eye, replace(target, relations=further), holding)
    if target.relations:
        place = Eye(eye.stage, eye.scene, eye.check)
        scope = await place.described(target.relations[0].target)
        return await bounded(scope.handle.query_selector_all(f"css={sort}"), TOUCH)
    region = target.region or "main"
    scopes = [one for one in await eye.region(region) if await bounded(one.is_visible(), TOUCH)]
    if scopes:
        return await bounded(scopes[0].query_selector_all(f"css={sort}"), TOUCH)
    if target.region:
        raise Missing(Seen(False, f"there is no {target.region}", False))
    return await _matched(eye, sort)


async def _matched(eye: Eye, css: str) -> list[ElementHandle]:
    return [handle for _, handle in await eye.all_of(css, MOST_COUNTED)]


async def _visible(handles: list[ElementHandle]) -> int:
    number = 0
    for handle in handles[:MOST_COUNTED]:
        number += await bounded(handle.is_visible(), TOUCH)
    return number
