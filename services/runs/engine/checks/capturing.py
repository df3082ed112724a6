"""Taking a value from the page (contract 6.2). Found nothing is nothing, never a guess."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import urljoin

from playwright.async_api import ElementHandle, Error, Frame

from services.runs.engine.actions.acting import bounded
from services.runs.engine.actions.models import Scene
from services.runs.engine.browser.models import Gone
from services.runs.engine.browser.stage import Stage
from services.runs.engine.checks.looking import MOST_FRAMES, TOUCH, squeezed
from services.runs.engine.language.filling import fill_target
from services.runs.engine.language.models import CapturePhrase, Target
from services.runs.engine.resolver.choosing import choose
from services.runs.engine.resolver.models import Choice, Wanted

LONGEST: Final = 2_000
"""Characters of a captured value."""

NEAR: Final = 80
"""Characters behind its words within which a pattern is looked for."""

_PATTERNS: Final = {
    "id": r"[A-Za-z0-9](?=[\w-]*\d)[\w-]*|\d+",
    "code": r"[A-Za-z0-9](?=[\w-]*\d)[\w-]*|[A-Z][A-Z0-9-]{3,}",
    "number": r"[A-Za-z]{0,6}-?(?=[\w./-]*\d)[\w./-]*\w|\d+",
    "total": r"[$€£¥]\s?\d[\d.,]*\d|[$€£¥]\s?\d|\d[\d.,]*\d(?:\s?(?:[$€£¥]|USD|EUR|GBP|CHF))?|\d",
    "price": r"[$€£¥]\s?\d[\d.,]*\d|[$€£¥]\s?\d|\d[\d.,]*\d(?:\s?(?:[$€£¥]|USD|EUR|GBP|CHF))?|\d",
    "url": r"https?://[^\s<>\"'“”]+[^\s<>\"'“”.,;:!?)]",
    "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "date": r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}"
    r"|\d{1,2}\.? [A-Z][a-z]{2,8} \d{4}|[A-Z][a-z]{2,8} \d{1,2}, \d{4}",
}


async def capture(stage: Stage, phrase: CapturePhrase, scene: Scene) -> str | None:
    """Take what a capture phrase means from the current page; None where it is not there.

    Raises:
        UnknownName: for a name that nothing binds.
        PageStuck: the page does not answer.
        BrowserGone: the browser died.
    """
    scene.check()
    fill = scene.variables.fill
    match phrase.kind:
        case "page_url":
            found: str | None = stage.page.url
        case "page_title":
            found = (await stage.read()).title
        case "value" | "text":
            assert phrase.target is not None  # of these kinds it is given
            found = await _of_target(stage, fill_target(phrase.target, fill), phrase.kind)
        case "beside":
            found = await _beside(stage, fill(phrase.label or ""))
        case _:
            found = await _near(stage, phrase)
    found = None if found is None else squeezed(found)[:LONGEST]
    return found or None


async def _of_target(stage: Stage, target: Target, kind: str) -> str | None:
    reading = await stage.read()
    outcome = choose(reading.candidates, Wanted(target, "see"))
    if not isinstance(outcome, Choice):
        return None
    try:
        if kind == "value":
            handle = await stage.element(outcome.candidate)
            return await _value(handle)
        return await stage.visible_text(candidate=outcome.candidate)
    except Gone:
        return None


async def _value(handle: ElementHandle) -> str | None:
    """Give what stands in a field; a password is not taken out of its field."""
    if await bounded(handle.get_attribute("type"), TOUCH) == "password":
        return None
    try:
        return await bounded(handle.input_value(timeout=TOUCH * 1000), TOUCH)
    except Error:
        return await bounded(handle.inner_text(), TOUCH)


async def _beside(stage: Stage, label: str) -> str | None:
    """Find the text beside a label, in every way in which pages write that."""
    if not squeezed(label):
        return None
    for frame in stage.page.frames[:MOST_FRAMES]:
        for way in _WAYS:
            try:
                found = await way(frame, squeezed(label))
            except Gone:
                continue
            except Error:
                continue
            if found:
                return found
    reading = await stage.read()
    fields = [
        one
        for one in reading.candidates
        if one.visible and one.value and squeezed(one.name).rstrip(": ") == squeezed(label)
    ]
    if len(fields) == 1:
        try:
            return await _value(await stage.element(fields[0]))
        except Gone:
            return None
    return None


def _exactly(label: str) -> str:
    """Give a selector part for elements whose text is the label, perhaps with a colon."""
    return f":text-matches({json.dumps(_pattern(label, rest=False))}, 'i')"


def _pattern(label: str, *, rest: bool) -> str:
    words = r"\s+".join(re.escape(word) for word in label.rstrip(": ").split())
    return rf"^\s*{words}\s*:\s*\S" if rest else rf"^\s*{words}\s*:?\s*$"


async def _term(frame: Frame, label: str) -> str | None:
    """``dt`` and ``dd``."""
    return await _text(frame, f"dt{_exactly(label)} + dd")


async def _row(frame: Frame, label: str) -> str | None:
    """A table's row that is headed by the label."""
    exact = _exactly(label)
    found = await _text(frame, f"tr > th{exact}:first-child + td")
    return found or await _text(frame, f"tr > td{exact}:first-child + td:last-child")


async def _column(frame: Frame, label: str) -> str | None:
    """A table's column, where the table has one row only."""
    heads = await _all(frame, f"tr:first-child > th{_exactly(label)}")
    if len(heads) != 1:
        return None
    before = await bounded(heads[0].query_selector_all("xpath=preceding-sibling::*"), TOUCH)
    table = await bounded(heads[0].query_selector("xpath=ancestor::table[1]"), TOUCH)
    if table is None:
        return None
    rows = await bounded(table.query_selector_all("css=tr:has(> td)"), TOUCH)
    shown = [row for row in rows if await bounded(row.is_visible(), TOUCH)]
    if len(shown) != 1:
        return None
    cells = await bounded(shown[0].query_selector_all("css=:scope > *"), TOUCH)
    return (
        await bounded(cells[len(before)].inner_text(), TOUCH) if len(before) < len(cells) else None
    )


async def _labelled(frame: Frame, label: str) -> str | None:
    """An element that names the label by ``aria-labelledby``."""
    for one in (await _all(frame, f"[id]{_exactly(label)}"))[:10]:
        name = await bounded(one.get_attribute("id"), TOUCH)
        if name:
            found = await _text(frame, f"[aria-labelledby~={json.dumps(name)}]")
            if found:
                return found
    return None


async def _inline(frame: Frame, label: str) -> str | None:
    """``label: value`` in one element."""
    pattern = _pattern(label, rest=True)
    text = await _text(frame, f":text-matches({json.dumps(pattern)}, 'i')")
    match = None if text is None else re.match(pattern, text, re.IGNORECASE)
    return None if text is None or match is None else text[match.end() - 1 :]


async def _next(frame: Frame, label: str) -> str | None:
    """What follows an element that is nothing but the label."""
    found = await _text(frame, f"{_exactly(label)} + *")
    return found if found is None or len(found) <= 200 else None


_WAYS: Final[Sequence[Callable[[Frame, str], Awaitable[str | None]]]] = (
    _term,
    _row,
    _column,
    _labelled,
    _inline,
    _next,
)


async def _all(frame: Frame, css: str) -> list[ElementHandle]:
    found = await bounded(frame.query_selector_all(f"css={css}"), TOUCH)
    return [one for one in found[:50] if await bounded(one.is_visible(), TOUCH)]


async def _text(frame: Frame, css: str) -> str | None:
    """Give the text of what a selector finds; None where it finds several that differ."""
    said = {squeezed(await bounded(one.inner_text(), TOUCH)) for one in await _all(frame, css)}
    said.discard("")
    return said.pop() if len(said) == 1 else None


async def _near(stage: Stage, phrase: CapturePhrase) -> str | None:
    """Find a pattern near its words, in what stands beside them or right behind them."""
    pattern = re.compile(_PATTERNS.get(phrase.kind, _PATTERNS["code"]))
    label = " ".join(phrase.words)
    if label:
        beside = await _beside(stage, label)
        if beside is not None and (match := pattern.search(beside)) is not None:
            return _address(stage, phrase, match[0])
    await stage.read()  # so that closed shadow roots are seen, too
    text = await stage.visible_text()
    found: list[str] = []
    for place in _places(text, phrase.words):
        if (match := pattern.search(text, place, place + NEAR)) is not None:
            found.append(match[0])
    # The same value may be said twice; two different ones would be a guess.
    return _address(stage, phrase, found[0]) if len(set(found)) == 1 else None


def _places(text: str, words: Sequence[str]) -> list[int]:
    """Give where the words end in a text, those with all of them in order."""
    if not words:
        return [0]
    joined = r"\W+".join(re.escape(word) for word in words)
    whole = [one.end() for one in re.finditer(rf"\b{joined}\b", text, re.IGNORECASE)]
    if whole:
        return whole[:20]
    last = re.escape(words[-1])
    return [one.end() for one in re.finditer(rf"\b{last}\b", text, re.IGNORECASE)][:20]


def _address(stage: Stage, phrase: CapturePhrase, found: str) -> str:
    return urljoin(stage.page.url, found) if phrase.kind == "url" else found
