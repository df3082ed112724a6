"""The function that reads pages, as Playwright's isolated world runs it.

Playwright runs selector engines that are registered as content scripts in a world of their own,
which shares the page's elements and none of its objects: a page that patches prototypes deceives
itself alone. So the reader is such an engine. What it found stands in the text of an element that
is in no document; that text is fetched in one round trip a frame, cross-origin frames too.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from playwright.async_api import ElementHandle, Frame, Playwright

NAME: Final = "guildhall"

LARGEST_ANSWER: Final = 16 * 1024 * 1024
"""Characters of one frame's answer."""

_FOLDER: Final = Path(__file__).with_name("page")
_PARTS: Final = ("dom", "names", "candidates", "text", "engine")


@cache
def source() -> str:
    """Give the engine as one expression."""
    parts = "\n".join((_FOLDER / f"{part}.js").read_text("utf-8") for part in _PARTS)
    return f"(() => {{\n{parts}\n}})()"


@cache
def watcher() -> str:
    """Give the function that watches for changes and notices; it takes its binding's name."""
    return (_FOLDER / "watch.js").read_text("utf-8").strip()


async def register(playwright: Playwright) -> None:
    """Make the engine known, once for each Playwright."""
    await playwright.selectors.register(NAME, source(), content_script=True)


def selector(what: str, **values: Any) -> str:
    """Write a question to the engine as a selector."""
    # Hex, because selectors have a syntax of their own and a value must not have a part in it.
    return f"{NAME}={json.dumps({'what': what, **values}).encode().hex()}"


async def ask(frame: Frame, what: str, seconds: float, **values: Any) -> dict[str, Any]:
    """Ask the engine in a frame.

    Raises:
        ValueError: the answer is too large or none.
        playwright.async_api.Error: whatever Playwright has to say.
    """
    text = await frame.text_content(selector(what, **values), timeout=seconds * 1000)
    if text is None or len(text) > LARGEST_ANSWER:
        raise ValueError("the page's answer is none that we take")
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("the page's answer is none that we take")
    return found


async def find(frame: Frame, ref: str) -> ElementHandle | None:
    """Give the element that a reading named so, or None if it is not there any more."""
    return await frame.query_selector(selector("element", ref=ref))
