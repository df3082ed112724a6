"""Recording in a browser: a person acts through us, or on the host's display (contract 12)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from playwright.async_api import CDPSession, Error, Page

from services.runs.engine.browser.browsers import Browsers
from services.runs.engine.browser.models import (
    BrowserSettings,
    Gone,
    NotReached,
    PageCrashed,
    PageStuck,
    UrlNotAllowed,
)
from services.runs.engine.browser.stage import Stage
from services.runs.engine.browser.watching import origin_of
from services.runs.engine.errands.models import URL_NOT_ALLOWED, Exchange, Failed
from services.runs.engine.recording.capturing import Capture

WIDTH: Final = 1280
HEIGHT: Final = 800

PACE: Final = 0.17
"""Seconds between two pictures: about six a second."""

LOOK: Final = 0.25
"""Seconds between two looks for another tab."""

OPENING: Final = 12.0
"""Seconds for the first page; one that is there by then and still loads is recorded as it is."""

QUICK: Final = 5.0

UNREACHED: Final = "base_url could not be reached."

_BUTTONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "click": {},
    "double_click": {"click_count": 2},
    "right_click": {"button": "right"},
}


async def record(
    order: Mapping[str, Any], settings: BrowserSettings, exchange: Exchange, seconds: float
) -> Mapping[str, Any]:
    """Record until told to stop, or until nothing was done for long.

    Args:
        order: ``base_url``; ``idle_seconds`` after which it ends.
        settings: the browser's.
        exchange: says what the person does, and takes pictures.
        seconds: for all of it; what was done by then is given.

    Raises:
        Failed: the address may not be reached, or was not.
        BrowserGone: the browser died.
    """
    base_url = str(order["base_url"])
    idle = float(order.get("idle_seconds", 1800))
    async with Browsers.opened(settings) as browsers:
        stage = await browsers.stage(width=WIDTH, height=HEIGHT, tested_origin=base_url)
        recorder = Recorder(stage, exchange, base_url)
        try:
            await recorder.begin()
            async with asyncio.timeout(max(1.0, seconds - QUICK * 2)):
                await recorder.run(idle)
        except TimeoutError:
            pass
        finally:
            await recorder.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(QUICK):
                    await stage.close()
    return {"base_url": base_url, "actions": recorder.actions}


class Recorder:
    """One recording.

    Args:
        stage: fresh.
        exchange: the other side.
        base_url: where it begins.
    """

    def __init__(self, stage: Stage, exchange: Exchange, base_url: str) -> None:
        self._stage = stage
        self._exchange = exchange
        self._base_url = base_url
        self._bell = asyncio.Event()
        self._touched = asyncio.get_running_loop().time()
        self._capture = Capture(self._touch)
        self._page: Page | None = None
        self._session: CDPSession | None = None
        self._picture: str | None = None
        self._wished: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._beside: set[asyncio.Task[None]] = set()

    @property
    def actions(self) -> list[dict[str, Any]]:
        """What was done, as contract 3.9 has it."""
        return self._capture.actions

    async def begin(self) -> None:
        """Open the first page.

        Raises:
            Failed: it may not be reached, or was not.
        """
        self._capture.add({"type": "goto", "url": self._base_url})
        await self._follow()
        try:
            await self._stage.goto(self._base_url, seconds=OPENING)
        except UrlNotAllowed:
            raise Failed("base_url may not be reached.", URL_NOT_ALLOWED) from None
        except PageStuck:
            if not origin_of(self._stage.page.url):
                raise Failed(UNREACHED) from None
        except (NotReached, Gone):
            raise Failed(UNREACHED) from None

    async def run(self, idle: float) -> None:
        """Pass on what is said, until it is stop or nothing was done for that many seconds."""
        for work in (self._show(), self._look()):
            self._beside.add(asyncio.create_task(work))
        doing = asyncio.create_task(self._do_all())
        self._beside.add(doing)
        loop = asyncio.get_running_loop()
        while (left := self._touched + idle - loop.time()) > 0:
            try:
                async with asyncio.timeout(left):
                    wish = await self._exchange.wish()
            except TimeoutError:
                continue
            self._touched = loop.time()
            if wish.get("do") == "stop":
                await self._finish_wished(doing)
                break
            self._wished.put_nowait(wish)
        await self._note_heading()

    async def _do_all(self) -> None:
        """Do what is wished, in its order."""
        while True:
            await self._do(await self._wished.get())
            self._wished.task_done()

    async def _finish_wished(self, doing: asyncio.Task[None]) -> None:
        """Let what was said before the end be done, unless a page keeps it waiting."""
        with suppress(TimeoutError):
            async with asyncio.timeout(QUICK):
                await self._wished.join()
        doing.cancel()
        await asyncio.wait([doing])

    async def close(self) -> None:
        """End what is under way beside."""
        for task in tuple(self._beside):
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        await self._capture.close()

    def _touch(self, is_persons: bool) -> None:
        if is_persons:
            self._touched = asyncio.get_running_loop().time()
        self._bell.set()

    async def _do(self, wish: Mapping[str, Any]) -> None:
        """Do what a person wants; what the page makes of it is its own business."""
        with suppress(Error, Gone, NotReached, PageStuck, PageCrashed, UrlNotAllowed, TimeoutError):
            async with asyncio.timeout(35):
                await self._act(str(wish.get("do")), wish)

    async def _act(self, do: str, wish: Mapping[str, Any]) -> None:
        page = self._stage.page
        x, y = float(wish.get("x", 0)), float(wish.get("y", 0))
        if do == "click" and wish.get("count", 1) > 1:
            # A click of a series that is passed on one by one, as the second of a double click.
            await page.mouse.move(x, y)
            await page.mouse.down(click_count=int(wish["count"]))
            await page.mouse.up(click_count=int(wish["count"]))
        elif do in _BUTTONS:
            await page.mouse.click(x, y, **_BUTTONS[do])
        elif do == "scroll":
            await page.mouse.move(x, y)
            await page.mouse.wheel(float(wish.get("dx", 0)), float(wish.get("dy", 0)))
        elif do == "key":
            await page.keyboard.press(str(wish.get("key", "")))
        elif do == "text":
            await page.keyboard.insert_text(str(wish.get("text", "")))
        elif do == "goto":
            self._capture.add({"type": "goto", "url": str(wish.get("url", ""))})
            await self._stage.goto(str(wish.get("url", "")))
        elif do in ("back", "reload"):
            self._capture.add({"type": do})
            await (page.go_back() if do == "back" else page.reload())

    async def _note_heading(self) -> None:
        with suppress(Error, Gone, PageCrashed, PageStuck):
            found = self._stage.page.locator("h1:visible, h2:visible").first
            text = await found.inner_text(timeout=1000)
            self._capture.add({"type": "heading", "text": text[:200]})

    async def _follow(self) -> None:
        page = self._stage.page
        if page is self._page:
            return
        session = await self._capture.follow(page)
        session.on("Page.screencastFrame", lambda event: self._on_frame(session, event))
        await session.send(
            "Page.startScreencast",
            {"format": "jpeg", "quality": 55, "maxWidth": WIDTH, "maxHeight": HEIGHT},
        )
        self._page, self._session = page, session

    async def _look(self) -> None:
        """Follow the tab that is looked at."""
        while True:
            with suppress(Error, Gone, PageCrashed, PageStuck, TimeoutError):
                await self._follow()
            await asyncio.sleep(LOOK)

    def _on_frame(self, session: CDPSession, event: Mapping[str, Any]) -> None:
        task = asyncio.create_task(_acknowledge(session, event["sessionId"]))
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        if session is self._session or self._session is None:
            self._picture = str(event["data"])
            self._bell.set()

    async def _show(self) -> None:
        """Tell how it stands, and show what changed, at a bounded pace."""
        shown: str | None = None
        while True:
            count = sum(one["type"] != "navigate" for one in self.actions)
            state = {"action_count": count, "base_url": self._base_url}
            await self._exchange.tell(state, "state")
            if self._picture is not None and self._picture is not shown:
                shown = self._picture
                url = self._page.url if self._page is not None else ""
                picture = {"jpeg": shown, "url": url, "width": WIDTH, "height": HEIGHT}
                await self._exchange.tell(picture, "picture")
            await asyncio.sleep(PACE)
            await self._bell.wait()
            self._bell.clear()


async def _acknowledge(session: CDPSession, number: int) -> None:
    with suppress(Error):
        await session.send("Page.screencastFrameAck", {"sessionId": number})
