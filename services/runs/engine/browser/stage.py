"""One fresh browser context: its tabs, and everything that is seen and done through them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import BrowserContext, ElementHandle, Error, Frame, Page, StorageState

from services.runs.engine.browser import closed_roots, picturing, settling, texts
from services.runs.engine.browser.bounded import GRACE, Life
from services.runs.engine.browser.downloads import Downloads
from services.runs.engine.browser.grips import Grip
from services.runs.engine.browser.guard import Pass
from services.runs.engine.browser.models import (
    BrowserGone,
    ConsoleLine,
    Dialog,
    Download,
    Gone,
    Mark,
    Notice,
    NotReached,
    PageStuck,
    Reading,
    Request,
    Settled,
    UrlNotAllowed,
)
from services.runs.engine.browser.reading import Read, read_page, without_query
from services.runs.engine.browser.tabs import Tabs
from services.runs.engine.browser.traffic import Traffic
from services.runs.engine.browser.watching import Watching, origin_of
from services.runs.engine.resolver.models import Candidate

MOST_SECRETS: Final = 200

FRESH: Final = 0.15
"""Seconds for which a reading may be given again."""

_QUICK: Final = 5.0
_ERROR_PAGE: Final = 2.0
"""Seconds within which the browser shows why it did not get anywhere."""

_TRACE: Final = 15.0


@dataclass(frozen=True, slots=True)
class StageOptions:
    """What ``Browsers.stage`` was asked for."""

    base_url: str
    traceparent: str | None
    scratch: Path


class Stage:
    """A fresh browser context with one current tab. ``Browsers.stage`` makes it."""

    def __init__(
        self, context: BrowserContext, life: Life, entry: Pass, options: StageOptions
    ) -> None:
        self.base_url = options.base_url
        self._context = context
        self._life = life
        self._pass = entry
        self._bell = asyncio.Event()
        self._secrets: list[str] = []
        self._read: Read | None = None
        self._heard: object = None
        self._read_at = 0.0
        self._keeps = False
        self._roots = closed_roots.Clock()
        self._watching = Watching(self._bell.set, origin_of(options.base_url), options.traceparent)
        self._traffic = Traffic(self._bell.set, entry.was_refused, self._watching.trace_of)
        self._tabs = Tabs(context, self._bell.set, self._welcome)
        folder = options.scratch / "downloads" / secrets.token_hex(4)
        self._downloads = Downloads(options.scratch / "browser", folder)
        self._is_tracing = False

    async def begin(self, page: Page) -> None:
        """Start watching; ``Browsers.stage`` does it once."""
        self._traffic.listen(self._context)
        self._tabs.adopt(page)
        await self._life.within(self._tabs.ready(), _QUICK + GRACE)
        if not self._watching.is_watched(page):
            raise PageStuck("the tab could not be watched")

    @property
    def page(self) -> Page:
        """The current tab. New tabs are followed; a closed one gives way to the one before.

        Raises:
            BrowserGone: the browser died.
            Gone: the page closed its last tab.
        """
        if self._life.is_over:
            raise BrowserGone("the browser is gone")
        page = self._tabs.current
        if page is None:
            raise Gone("the last tab was closed")
        return page

    @property
    def pages(self) -> tuple[Page, ...]:
        """The open tabs, oldest first, at most ten."""
        return self._tabs.pages

    async def renew(self) -> bool:
        """Go on in a tab that works, where this one crashed or was closed; tell whether it did."""
        return await self._life.within(self._tabs.renew(), 2 * _QUICK)

    async def storage(self) -> StorageState:
        """Give its cookies and what pages store."""
        return await self._life.within(self._context.storage_state(), _QUICK)

    async def goto(self, url: str, *, seconds: float = 30.0) -> None:
        """Navigate the current tab; waits for the document (``domcontentloaded``).

        Raises:
            UrlNotAllowed: not http(s), or closed by the policy.
            PageStuck: not there in time.
            NotReached: no connection, no such name, a broken answer.
            BrowserGone: the browser died.
        """
        if not origin_of(url) and url != "about:blank":
            raise UrlNotAllowed(without_query(url))
        refused, before = self._pass.count, self._tabs.navigations
        work = self.page.goto(url, wait_until="domcontentloaded", timeout=seconds * 1000)
        try:
            answer = await self._life.within(work, seconds + GRACE)
        except (NotReached, Gone, PageStuck) as error:
            if isinstance(error, NotReached):
                await self._error_page(before)
            if self._pass.count > refused and self._traffic.is_refused(url):
                raise UrlNotAllowed(without_query(url)) from None
            raise
        hit = self._pass.count > refused and answer is not None and answer.status == 403
        if hit and answer is not None and self._traffic.is_refused(answer.url):
            raise UrlNotAllowed(without_query(answer.url))

    async def _error_page(self, before: int) -> None:
        """Wait until it stands there; coming later, it would take the next page's place."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_ERROR_PAGE):
                while self._tabs.navigations == before and not self._life.is_over:
                    self._bell.clear()
                    await self._bell.wait()

    async def switch_to(self, page: Page) -> None:
        """Make a tab the current one."""
        self._tabs.show(page)
        await self._life.within(self.page.bring_to_front(), _QUICK)

    async def close_tab(self, page: Page | None = None) -> None:
        """Close a tab, the current one by default; the last one is emptied instead."""
        page = page or self.page
        if len(self.pages) == 1:
            await self._life.within(page.goto("about:blank"), _QUICK)
        else:
            await self._life.within(page.close(), _QUICK)

    async def read(self, *, seconds: float = 5.0) -> Reading:
        """Read all frames, each in one tick.

        Raises:
            PageStuck: the page does not answer.
            BrowserGone: the browser died.
            Gone: the page was navigating all the time.
        """
        keeps, self._keeps = self._keeps, False
        before = (self.page, self._watching.changes, self._traffic.begun, self._tabs.navigations)
        is_fresh = time.monotonic() - self._read_at < FRESH and self._heard == before
        if keeps and self._read is not None and is_fresh:
            return self._read.reading
        found = await self._read_once(seconds)
        if await self._open_roots(found.frames, found.suspects):
            found = await self._read_once(seconds)
        self._read, self._heard, self._read_at = found, before, time.monotonic()
        return found.reading

    def keep_reading(self) -> None:
        """Have the next ``read`` give the last reading again, unless anything was heard since.

        For who has just read and done nothing; an action takes it back, and so does time, because
        not all that changes is heard.
        """
        self._keeps = True

    async def _read_once(self, seconds: float) -> Read:
        until = time.monotonic() + seconds
        while True:
            try:
                return await self._life.within(read_page(self.page, seconds), seconds + GRACE)
            except Gone:
                if time.monotonic() > until or self._tabs.current is None:
                    raise
                # a navigation swept the document away: read the next one
            except ValueError as error:
                raise PageStuck(str(error)) from error

    async def element(self, candidate: Candidate) -> ElementHandle:
        """Give the element of a candidate of the last reading.

        Raises:
            Gone: it, its document or its frame is not there any more.
            PageStuck: the page does not answer.
        """
        return await self._life.within(self.grip(candidate).handle(), _QUICK)

    def grip(self, candidate: Candidate) -> Grip:
        """Give a hold on a candidate of the last reading: cheaper than ``element``.

        Raises:
            Gone: the frame is not there any more.
        """
        frames = self._read.frames if self._read else ()
        if candidate.frame >= len(frames) or frames[candidate.frame].is_detached():
            raise Gone("the frame went away")
        return Grip(frames[candidate.frame], candidate.ref)

    async def mark(self) -> Mark:
        """Remember this moment, before an action."""
        self._keeps = False
        return settling.mark(self._traffic, self._tabs, self._watching)

    async def settle(self, mark: Mark, *, seconds: float = 5.0) -> Settled:
        """Wait until what began since the mark is over (contract section 5.4).

        A navigation that began is awaited, the requests that began are, and then 150 ms without a
        change of the page, where there were requests or changes at all; the cap is ``seconds``.
        """
        deadline = time.monotonic() + seconds
        await self._catch_up(seconds)
        parts = (self._traffic, self._tabs, self._watching)
        work = settling.settle(mark, *parts, self._bell, deadline)
        return await self._life.within(work, seconds + GRACE)

    def requests(self, since: Mark | None = None) -> tuple[Request, ...]:
        """Give the requests since then, oldest first, the latest 2,000 at most."""
        return self._traffic.requests(since.requests if since else 0)

    def network_errors(self, since: Mark | None = None) -> tuple[Request, ...]:
        """Give those of them that failed, or were answered with 400 and above."""
        return tuple(each for each in self.requests(since) if each.is_error)

    def console(self, since: Mark | None = None) -> tuple[ConsoleLine, ...]:
        """Give the console's lines since then, exceptions among them, the latest 500 at most."""
        return self._traffic.lines(since.console if since else 0)

    def refused(self, since: Mark | None = None) -> tuple[str, ...]:
        """Give the ``host:port`` that the target policy refused since then."""
        start = since.at if since else 0.0
        found = (f"{host}:{port}" for at, host, port in self._pass.refusals if at >= start)
        return tuple(dict.fromkeys(found))

    def expect_dialog(self, accept: bool, text: str | None = None) -> None:
        """Say how the next native dialog is answered; one that nobody expects is dismissed."""
        self._tabs.expect_dialog(accept, text)

    def expect_no_dialog(self) -> None:
        """Take back what was said about dialogs that have not come up."""
        self._tabs.forget_answers()

    @property
    def dialogs(self) -> tuple[Dialog, ...]:
        """The native dialogs so far, and what was answered; the latest 200."""
        return tuple(self._tabs.dialogs)

    @property
    def downloads(self) -> tuple[Download, ...]:
        """The files that the page gave and that are whole."""
        return tuple(self._downloads.done)

    async def finish_downloads(self) -> tuple[Download, ...]:
        """Wait for those under way, and give all."""
        await self._downloads.settle()
        return self.downloads

    async def notices(self, since: Mark | None = None) -> tuple[Notice, ...]:
        """Give toasts, alerts and status messages since then, also those that vanished."""
        await self._catch_up(1.0)
        return self._watching.notices(since.notices if since else 0)

    async def visible_text(self, css: str | None = None, candidate: Candidate | None = None) -> str:
        """Give what can be read in the page, a selector's first visible match, or a candidate.

        Whitespace is collapsed, hidden text is left out; at most 500,000 characters.

        Raises:
            Gone: the selector or candidate finds nothing visible.
            ValueError: it is no selector.
            PageStuck: the page does not answer.
        """
        if candidate is not None:
            frames = self._read.frames if self._read else ()
            if candidate.frame >= len(frames):
                raise Gone("the frame went away")
            return await self._text_of((frames[candidate.frame],), ref=candidate.ref)
        frames = tuple(frame for frame in self.page.frames if not frame.is_detached())[:40]
        return await self._text_of(frames, css=css)

    def trace_as(self, traceparent: str | None) -> None:
        """Have requests carry another ``traceparent``; for a stage that was opened with one."""
        self._watching.traceparent = traceparent

    def keep_secret(self, value: str) -> None:
        """Have fields and texts that hold this value covered in screenshots from now on."""
        if value and value not in self._secrets:
            self._secrets = [*self._secrets, value][-MOST_SECRETS:]

    async def screenshot(self, *, still: bool = False) -> bytes:
        """Take a PNG of the current tab, password fields and what holds a secret covered.

        Args:
            still: without animations and the caret, to be compared with another.

        Raises:
            PageStuck: the page does not answer; there is no picture without covers.
        """
        work = picturing.take(self.page, self._watching, self._secrets, still=still)
        return await self._life.within(work, picturing.LIMIT + GRACE)

    async def start_trace(self) -> None:
        """Begin a Playwright trace."""
        work = self._context.tracing.start(screenshots=True, snapshots=True)
        await self._life.within(work, _TRACE)
        self._is_tracing = True

    async def stop_trace(self, path: Path) -> None:
        """End it and write it. It holds everything that was typed, secrets too."""
        if self._is_tracing:
            self._is_tracing = False
            await self._life.within(self._context.tracing.stop(path=path), 60.0)

    async def close(self) -> None:
        """Close the context and all of its tabs."""
        for each in (self._downloads, self._tabs, self._watching):
            await each.close()
        with suppress(BrowserGone, PageStuck, Gone, Error):
            await self._life.within(self._context.close(), _QUICK)
        self._pass.withdraw()

    async def _welcome(self, page: Page) -> None:
        """Watch a tab that opened, and its frames that run in processes of their own."""
        self._downloads.listen(page)
        page.on("close", self._traffic.forget)
        page.on("framenavigated", self._watch_frame)
        await self._watching.watch(self._context, page)

    def _watch_frame(self, frame: Frame) -> None:
        if frame.parent_frame is None or origin_of(frame.url) == origin_of(frame.page.url):
            return
        self._tabs.spawn(self._watch_target(frame))

    async def _watch_target(self, frame: Frame) -> None:
        with suppress(Error):  # it is part of its tab, which is watched
            await self._watching.watch(self._context, frame)

    async def _catch_up(self, seconds: float) -> None:
        """Ask the page anything: what it said before has been told when it answers."""
        await self._life.within(self._tabs.ready(), _QUICK + GRACE)
        with suppress(PageStuck, Gone, NotReached, Error):
            await self._life.within(self._watching.catch_up(self.page, seconds), seconds + GRACE)

    async def _open_roots(
        self, frames: tuple[Frame, ...], suspects: Sequence[tuple[int, int]]
    ) -> bool:
        """Hand closed shadow roots to the reader where that is due; tell whether there were any."""
        if not self._roots.is_due(suspects):
            return False
        began = time.monotonic()
        try:
            work = closed_roots.hand_over(self._context, self.page, frames)
            return await self._life.within(work, _QUICK)
        except (PageStuck, Gone, NotReached, Error):
            return False
        finally:
            self._roots.took(time.monotonic() - began)

    async def _text_of(
        self, frames: tuple[Frame, ...], css: str | None = None, ref: str | None = None
    ) -> str:
        limit = texts.PAGE + GRACE
        found = await self._life.within(texts.read_texts(frames, css, ref), limit)
        if await self._open_roots(frames, found.suspects):
            found = await self._life.within(texts.read_texts(frames, css, ref), limit)
        if found.is_wrong:
            raise ValueError(f"not a selector: {css}")
        if css is None and ref is None:
            return " ".join(filter(None, found.texts))[: texts.MOST_TEXT]
        if not found.texts:
            raise Gone("nothing visible is found")
        return found.texts[0]
