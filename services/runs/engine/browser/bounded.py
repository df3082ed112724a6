"""Waiting for a browser that may be dead, stuck or hostile: never longer than was said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, Final, TypeVar

from playwright.async_api import Error, TimeoutError

from services.runs.engine.browser.models import (
    BrowserGone,
    Gone,
    NotReached,
    PageCrashed,
    PageStuck,
)

T = TypeVar("T")

GRACE: Final = 1.0
"""Seconds beyond Playwright's own limit before we stop waiting for Playwright itself."""

_DEAD: Final = ("Target page, context or browser has been closed", "Browser has been closed")
_LOST: Final = (
    "Frame was detached",
    "Execution context was destroyed",
    "not attached to the DOM",
    "Element is not attached",
    "Frame has been detached",
)


class Life:
    """Whether the browser lives; ended once, by whoever sees it first."""

    def __init__(self) -> None:
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_over(self) -> bool:
        """Tell whether the browser is gone."""
        return self._ended.done()

    def end(self) -> None:
        """Say that it is gone; who waits is told at once."""
        if not self._ended.done():
            self._ended.set_result(None)

    async def within(self, work: Coroutine[Any, Any, T] | Awaitable[T], seconds: float) -> T:
        """Await something of Playwright's.

        Raises:
            BrowserGone: the browser died before or meanwhile.
            PageStuck: no answer in time, or the page crashed.
            Gone: the document, frame or tab went away meanwhile.
            NotReached: a navigation got no answer.
        """
        task = asyncio.ensure_future(work)
        try:
            if not self.is_over:
                await asyncio.wait(
                    (task, self._ended),
                    timeout=seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            if task.done() and not task.cancelled() and task.exception() is None:
                return task.result()
            if self.is_over:
                raise BrowserGone("the browser is gone")
            if not task.done():
                raise PageStuck(f"the page did not answer within {seconds:g} s")
            return task.result()
        except TimeoutError as error:
            raise PageStuck("the page did not answer in time") from error
        except Error as error:
            raise self.read_as(error) from error
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait((task,), timeout=GRACE)
            elif not task.cancelled():
                task.exception()  # looked at, so that nobody warns of it

    def read_as(self, error: Error) -> Exception:
        """Say in our words what an error of Playwright's means."""
        text = error.message
        if self.is_over or "Connection closed" in text:
            return BrowserGone("the browser is gone")
        if "crashed" in text:
            return PageCrashed("the page crashed")
        if any(word in text for word in (*_DEAD, *_LOST)):
            return Gone("the page or the element went away")
        if "net::" in text or "NS_ERROR" in text or "is interrupted by another navigation" in text:
            start = text.find("net::")
            return NotReached(text[start:].split()[0] if start >= 0 else text.split("\n")[0])
        return error
