"""Pictures of a tab, with what must not be seen covered.

The browser's own capture takes half the time of Playwright's and leaves the page alone, but covers
nothing and lets animations run. So covers are painted into it afterwards; Playwright's serves where
that would not be sure, and for pictures that are compared.
"""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, TypeAlias

from PIL import Image, ImageDraw
from playwright.async_api import CDPSession, Error, Frame, Page

from services.runs.engine.browser import engine
from services.runs.engine.browser.watching import Watching

LIMIT: Final = 15.0
"""Seconds for a picture."""

MOST_FRAMES: Final = 40

_COVER: Final = "#7f7f7f"

_Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom, as shares of the window."""


async def take(page: Page, watching: Watching, secrets: Sequence[str], *, still: bool) -> bytes:
    """Take a PNG of what the window shows, password fields and what holds a secret covered.

    Args:
        page: the tab.
        watching: of its stage; hears when the page changes.
        secrets: what must not be seen.
        still: whether animations and the caret are to be left out, to compare it with another.

    Raises:
        playwright.async_api.Error: the page does not answer; there is no picture without covers.
    """
    frames = [frame for frame in page.frames if not frame.is_detached()][:MOST_FRAMES]
    session = None if still else watching.session_of(page)
    if session is not None:
        # A busy browser now and then gives no picture at once; Playwright's way asks once more.
        with suppress(Error):
            picture = await _quick(session, watching, frames, secrets)
            if picture is not None:
                return picture
    question = engine.selector("holders", values=list(secrets))
    return await page.screenshot(
        mask=[frame.locator(question) for frame in frames],
        mask_color=_COVER,
        animations="disabled",
        caret="hide",
        timeout=LIMIT * 1000,
    )


async def _quick(
    session: CDPSession, watching: Watching, frames: Sequence[Frame], secrets: Sequence[str]
) -> bytes | None:
    """Take the browser's own picture; None where it is not sure what must be covered."""
    changes = watching.changes
    capture = session.send("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": True})
    boxes, captured = await asyncio.gather(_boxes(frames, secrets), capture)
    if boxes is None:
        return None
    may_differ = bool(boxes) or watching.changes != changes
    # What came up or moved between the look and the picture would be seen.
    if may_differ and boxes != await _boxes(frames, secrets):
        return None
    picture = base64.b64decode(captured["data"])
    return await asyncio.to_thread(_covered, picture, boxes) if boxes else picture


async def _boxes(frames: Sequence[Frame], secrets: Sequence[str]) -> list[_Box] | None:
    """Say what is to be covered; None if some of it stands in a frame within the page."""
    questions = (engine.ask(frame, "boxes", LIMIT, values=list(secrets)) for frame in frames)
    main, *others = await asyncio.gather(*questions)
    if any(answer["boxes"] for answer in others):
        return None
    return [(left, top, right, bottom) for left, top, right, bottom in main["boxes"]]


def _covered(picture: bytes, boxes: Sequence[_Box]) -> bytes:
    """Paint covers into a PNG."""
    covered = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        width, height = image.size
        drawing = ImageDraw.Draw(image)
        for left, top, right, bottom in boxes:
            # A pixel more on each side: the edges of what is covered may lie between two.
            corners = (left * width - 1, top * height - 1, right * width + 1, bottom * height + 1)
            drawing.rectangle(corners, fill=_COVER)
        image.save(covered, "PNG", compress_level=1)
    return covered.getvalue()
