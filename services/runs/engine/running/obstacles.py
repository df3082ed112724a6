"""What keeps a case from being carried out, in words for machines and for people."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from playwright.async_api import Error, TimeoutError

from services.runs.engine.browser.models import Gone, PageStuck
from services.runs.engine.browser.stage import Stage
from services.runs.engine.resolver.models import Scored


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why something could not be carried out: ``reason`` for machines, ``message`` for people."""

    reason: str
    message: str
    candidates: tuple[Scored, ...] = ()


def lost(stage: Stage, error: Exception) -> Obstacle:
    """Say what became of a page that went away, crashed or does not answer: ``page_stuck``.

    Args:
        stage: whose page it was.
        error: ``PageStuck``, ``Gone``, or Playwright's own word for something unforeseen.

    Raises:
        BrowserGone: it was the browser that died.
    """
    with suppress(Gone, PageStuck):
        _ = stage.page
    text = str(error).split("\n", 1)[0][:200]
    if "crashed" in text:
        message = "The page crashed."
    elif isinstance(error, Gone):
        message = f"The page went away: {text}."
    elif isinstance(error, Error) and not isinstance(error, TimeoutError):
        message = f"The page could not be used: {text}"
    else:
        message = "The page did not answer in time."
    return Obstacle("page_stuck", message)


LOST = (PageStuck, Gone, Error)
"""What ``lost`` has words for."""
