"""What can be read in a page, over all of its frames."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from playwright.async_api import Error, Frame

from services.runs.engine.browser import engine

MOST_TEXT: Final = 500_000

PAGE: Final = 5.0
FRAME: Final = 2.0
"""Seconds for the page itself, and for a frame in it."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What was read.

    Attributes:
        texts: one for each frame that has any, or where something was found.
        is_wrong: whether the selector is none.
        suspects: as ``Read.suspects``.
    """

    texts: tuple[str, ...]
    is_wrong: bool
    suspects: tuple[tuple[int, int], ...]


async def read_texts(frames: Sequence[Frame], css: str | None, ref: str | None) -> Texts:
    """Read the frames, or a selector's or an element's part of them.

    A frame that does not answer is left out, unless it is the first.

    Raises:
        playwright.async_api.Error: the first frame does not answer, or went away.
    """
    values: dict[str, Any] = {"css": css, "ref": ref, "most": MOST_TEXT}
    limits = [PAGE, *(FRAME for _ in frames[1:])]
    found = await asyncio.gather(
        *(
            engine.ask(frame, "text", limit, **values)
            for frame, limit in zip(frames, limits, strict=True)
        ),
        return_exceptions=True,
    )
    if isinstance(found[0], Error):
        raise found[0]
    answers = [each for each in found if isinstance(each, dict)]
    return Texts(
        texts=tuple(each["text"] for each in answers if "text" in each),
        is_wrong=any("wrong" in each for each in answers),
        suspects=tuple(
            (each["suspects"]["custom"], each["suspects"]["plain"])
            for each in answers
            if "suspects" in each
        ),
    )
