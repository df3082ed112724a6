"""Reading a page: all of its frames, each in one tick, put together as one list."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from playwright.async_api import Error, Frame, Page

from services.runs.engine.browser import engine
from services.runs.engine.browser.models import Reading
from services.runs.engine.resolver.models import Candidate

MOST_FRAMES: Final = 40
MOST_CANDIDATES: Final = 5_000

_FRAME_WAIT: Final = 2.0
"""Seconds for one frame's document to come, and for a frame that does not answer."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a frame stands in the page's window, and what its element says about it."""

    x: float = 0.0
    y: float = 0.0
    seen: bool = True
    in_top_dialog: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """A reading, the frames by the index that its candidates give, and what hides from us.

    Attributes:
        reading: as handed out.
        frames: by ``Candidate.frame``.
        suspects: by the same index, how many elements may hold a closed shadow root: custom ones
            and plain ones.
    """

    reading: Reading
    frames: tuple[Frame, ...]
    suspects: tuple[tuple[int, int], ...]


async def read_page(page: Page, seconds: float) -> Read:
    """Read a page.

    A frame that does not answer is left out, unless it is the page itself.

    Raises:
        playwright.async_api.Error: the page itself does not answer, or went away.
    """
    frames = [frame for frame in page.frames if not frame.is_detached()][:MOST_FRAMES]
    main, children = frames[0], frames[1:]
    found = await asyncio.gather(
        engine.ask(main, "read", seconds),
        *(_read_child(frame, min(seconds, _FRAME_WAIT)) for frame in children),
    )
    kept = [(frame, answer) for frame, answer in zip(frames, found, strict=True) if answer]
    places = await _places(kept)
    candidates: list[Candidate] = []
    for index, ((frame, answer), place) in enumerate(zip(kept, places, strict=True)):
        chain = _chain(frame)
        for item in answer["out"]:
            if len(candidates) >= MOST_CANDIDATES:
                break
            where = Where(index, place, chain, answer["rows"], len(candidates))
            candidates.append(_candidate(item, where))
    top = kept[0][1]
    focused = next((each for each in candidates if each.focused), None)
    reading = Reading(
        url=top["url"],
        title=top["title"],
        candidates=tuple(candidates),
        truncated=any(answer["truncated"] for _, answer in kept)
        or len(candidates) >= MOST_CANDIDATES,
        focused_form=focused.form or None if focused else None,
    )
    suspects = tuple((a["suspects"]["custom"], a["suspects"]["plain"]) for _, a in kept)
    return Read(reading, tuple(frame for frame, _ in kept), suspects)


async def _read_child(frame: Frame, seconds: float) -> dict[str, Any] | None:
    """Read a frame within the page; one that is still loading is awaited, once."""
    try:
        answer = await engine.ask(frame, "read", seconds)
        if answer["state"] == "loading":
            await frame.wait_for_load_state("domcontentloaded", timeout=seconds * 1000)
            answer = await engine.ask(frame, "read", seconds)
    except (Error, ValueError):
        return None
    return answer


async def _places(kept: Sequence[tuple[Frame, Mapping[str, Any]]]) -> list[Place]:
    """Find where the frames stand; those of other origins cannot say so themselves."""
    boxes = {
        id(frame): _box_of(frame)
        for frame, answer in kept[1:]
        if answer["place"] is None and frame.parent_frame is not None
    }
    found = dict(zip(boxes, await asyncio.gather(*boxes.values()), strict=True))
    places: list[Place] = [Place()]
    for frame, answer in kept[1:]:
        place = answer["place"]
        if place is not None:
            places.append(Place(place["x"], place["y"], place["seen"]))
            continue
        places.append(found.get(id(frame)) or Place(seen=False))
    return places


async def _box_of(frame: Frame) -> Place | None:
    try:
        async with asyncio.timeout(_FRAME_WAIT):
            element = await frame.frame_element()
            box = await element.bounding_box()
            seen = await element.is_visible()
    except (TimeoutError, Error):
        return None
    if box is None:
        return None
    return Place(box["x"], box["y"], seen and box["width"] > 1 and box["height"] > 1)


def _chain(frame: Frame) -> tuple[str, ...]:
    """Give the addresses of a frame and those around it, outermost first, without their queries."""
    chain: list[str] = []
    here: Frame | None = frame
    while here is not None and here.parent_frame is not None and len(chain) < 20:
        chain.append(without_query(here.url) or here.name)
        here = here.parent_frame
    return tuple(reversed(chain))


def without_query(url: str) -> str:
    """Give an address without query, fragment and credentials."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    return f"{parts.scheme}://{host}{parts.path}" if host else f"{parts.scheme}:{parts.path[:200]}"


class Where(NamedTuple):
    """What a candidate gets from its frame and its place among the others."""

    frame: int
    place: Place
    chain: tuple[str, ...]
    rows: Sequence[str]
    order: int


def _candidate(item: Mapping[str, Any], where: Where) -> Candidate:
    frame, place, chain, rows, order = where
    x, y, width, height = item["b"]
    return Candidate(
        frame=frame,
        ref=item["r"],
        role=item["o"],
        name=item["n"],
        name_sources=item["s"],
        description=item.get("d", ""),
        visible=place.seen and not item.get("hi", False),
        enabled=not item.get("di", False),
        editable=item.get("ed", False),
        value=item.get("v", ""),
        input_type=item.get("ty", ""),
        autocomplete=item.get("au", ""),
        test_id=item["s"].get("test_id", ""),
        href=item.get("h", ""),
        tag=item["t"],
        x=x + place.x,
        y=y + place.y,
        width=width,
        height=height,
        in_viewport=item.get("vp", False),
        in_top_dialog=item.get("td", False),
        landmark=item.get("l", ""),
        form=item.get("fo", ""),
        row_text=rows[item["rt"]] if "rt" in item else "",
        heading=item.get("hd", ""),
        neighbour=item.get("nb", ""),
        css=item.get("c", ""),
        checked=item.get("ch"),
        order=order,
        clickable=item.get("ac", False),
        focused=item.get("f", False),
        primary=item.get("p", False),
        required=item.get("rq", False),
        invalid=item.get("iv", False),
        expanded=item.get("ex"),
        level=item.get("lv", 0),
        effect=item.get("e", ""),
        within=item.get("w", ""),
        groups=tuple(item.get("g", ())),
        row=item.get("ro", ""),
        options=tuple(item.get("op", ())),
        frames=chain,
    )
