"""The tabs of a stage: followed when they open, given up when they close, and their dialogs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from playwright.async_api import BrowserContext, Error, Page
from playwright.async_api import Dialog as Asked
from playwright.async_api import Frame as Navigated

from services.runs.engine.browser.models import MOST_TABS, Dialog, PageCrashed

MOST_DIALOGS: Final = 200

_LIMIT: Final = 5.0
_PROBE: Final = 4.0

# What a page itself cannot open at the top; if it stands there all the same, it goes.
_SHOWN: Final = ("http://", "https://", "about:", "blob:http", "chrome-error:")


class Tabs:
    """The open tabs. ``opened`` counts those ever opened, ``navigations`` the documents."""

    def __init__(
        self,
        context: BrowserContext,
        bell: Callable[[], None],
        welcome: Callable[[Page], Coroutine[Any, Any, None]],
    ) -> None:
        self._context = context
        self._bell = bell
        self._welcome = welcome
        self._pages: list[Page] = []
        self._current: Page | None = None
        self._crashed: set[Page] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: deque[tuple[bool, str | None]] = deque(maxlen=20)
        self.dialogs: deque[Dialog] = deque(maxlen=MOST_DIALOGS)
        self.asked = 0
        self.opened = 0
        self.navigations = 0
        context.on("page", self._on_page)
        context.on("dialog", self._on_dialog)

    @property
    def current(self) -> Page | None:
        """The tab that is looked at; None when there is none.

        Raises:
            PageCrashed: its process died. Whoever asks such a tab for more may end all of Chromium.
        """
        if self._current in self._crashed:
            raise PageCrashed("the page crashed")
        return self._current

    @property
    def pages(self) -> tuple[Page, ...]:
        """The open tabs, oldest first."""
        return tuple(self._pages)

    def show(self, page: Page) -> None:
        """Make an open tab the current one."""
        if page in self._pages:
            self._current = page
            self._bell()

    def expect_dialog(self, accept: bool, text: str | None) -> None:
        """Say how the next dialog is answered."""
        self._answers.append((accept, text))

    def forget_answers(self) -> None:
        """Have no dialog expected any more."""
        self._answers.clear()

    def adopt(self, page: Page) -> None:
        """Follow a tab that was there before anybody listened."""
        if page not in self._pages:
            self._on_page(page)

    async def renew(self) -> bool:
        """Have a tab that works as the current one; tell whether another had to be taken.

        What a page kept for its tab alone is lost with it; cookies and storage are the context's.

        Raises:
            playwright.async_api.Error: none could be opened.
        """
        if self._current is not None and self._current not in self._crashed:
            if await _answers(self._current):
                return False
            self._crashed.add(self._current)
        for page in tuple(self._crashed):
            self._on_close(page)
            self._spawn(page.close())
        if self._current is None:
            self.adopt(await self._context.new_page())
        return True

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something aside, for as long as the tabs are open."""
        self._spawn(work)

    async def ready(self) -> None:
        """Wait until the tabs that opened are watched."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LIMIT)

    async def close(self) -> None:
        """Let go of what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(_quiet(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_page(self, page: Page) -> None:
        if len(self._pages) >= MOST_TABS:
            self._spawn(page.close())
            return
        self.opened += 1
        self._pages.append(page)
        self._current = page
        page.on("close", self._on_close)
        page.on("crash", self._on_crash)
        page.on("framenavigated", self._on_navigated)
        self._spawn(self._welcome(page))
        self._bell()

    def _on_crash(self, page: Page) -> None:
        # It stays the current one: whoever uses it hears that it crashed.
        self._crashed.add(page)
        self._bell()

    def _on_close(self, page: Page) -> None:
        self._crashed.discard(page)
        if page in self._pages:
            self._pages.remove(page)
        if self._current is page:
            self._current = self._pages[-1] if self._pages else None
        self._bell()

    def _on_navigated(self, frame: Navigated) -> None:
        if frame.parent_frame is not None:
            return
        self.navigations += 1
        page = frame.page
        if not frame.url.startswith(_SHOWN):
            self._spawn(_leave(page))
        self._bell()

    def _on_dialog(self, dialog: Asked) -> None:
        expected = bool(self._answers)
        # Whoever leaves a page was told to: holding him back would hang the step.
        leaving = dialog.type == "beforeunload"
        accept, text = self._answers.popleft() if expected and not leaving else (leaving, None)
        self.asked += 1
        self.dialogs.append(
            Dialog(dialog.type, dialog.message[:1_000], accept, expected and not leaving)
        )
        self._spawn(_answer(dialog, accept, text))
        self._bell()


async def _answers(page: Page) -> bool:
    """Tell whether a tab's process does anything at all; one that spins holds up what comes."""
    try:
        async with asyncio.timeout(_PROBE):
            await page.evaluate("1")
    except TimeoutError:
        return False
    except Error:
        pass  # it is on its way elsewhere
    return True


async def _quiet(work: Coroutine[Any, Any, None]) -> None:
    """Do something for a tab that may be gone by then."""
    with suppress(Error, asyncio.TimeoutError):
        async with asyncio.timeout(_LIMIT):
            await work


async def _leave(page: Page) -> None:
    await page.goto("about:blank")


async def _answer(dialog: Asked, accept: bool, text: str | None) -> None:
    if not accept:
        await dialog.dismiss()
    elif text is None:
        await dialog.accept()
    else:
        await dialog.accept(text)
