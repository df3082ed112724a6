"""Watching a tab by the debug protocol: its changes and notices, and our header on its requests.

Each tab, and each frame that runs in a process of its own, gets a session. The watcher's world is
isolated and its binding exists in that world alone, so a page can neither hear nor forge it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, CDPSession, Error, Frame, Page

from services.runs.engine.browser import engine
from services.runs.engine.browser.models import Notice

MOST_NOTICES: Final = 300

_LIMIT: Final = 5.0
"""Seconds for the debug protocol to answer."""

_FRAME: Final = 1.0
"""Seconds for a frame of another process to answer."""

_TURN: Final[dict[str, Any]] = {
    "expression": "new Promise((done) => setTimeout(done))",
    "awaitPromise": True,
}

HEADER: Final = "traceparent"

_UNMARKED: Final = frozenset({"websocket"})


def origin_of(url: str) -> str:
    """Give ``scheme://host[:port]`` as browsers write it, or empty."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != usual else "")


@dataclass(slots=True)
class _Watched:
    """A tab or frame with a session; ``world`` is the watcher's in its newest document."""

    session: CDPSession
    page: Page
    target: Page | Frame
    world: int | None = None


@dataclass(slots=True)
class Watching:
    """The watchers of a stage.

    Attributes:
        bell: called when a page changed.
        tested_origin: whose requests carry the header.
        traceparent: the header's value; None for none.
        last_change: of any page, on the monotonic clock.
        changes: how often a change was told.
        scripts: of the page that was loaded last.
        windows: that pages asked for; their tabs are told later, if they come at all.
        last_window: when the last one was asked for, on the monotonic clock.
        loading: sessions whose page is not whole yet.
    """

    bell: Callable[[], None]
    tested_origin: str
    traceparent: str | None
    last_change: float = 0.0
    changes: int = 0
    noticed: int = 0
    scripts: int = 0
    windows: int = 0
    last_window: float = 0.0
    loading: set[int] = field(default_factory=set)
    _notices: deque[Notice] = field(default_factory=lambda: deque(maxlen=MOST_NOTICES))
    _ids: dict[tuple[int, int, int], int] = field(default_factory=dict)
    _opened: int = 0
    _watched: dict[int, _Watched] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _binding: str = field(default_factory=lambda: f"g{secrets.token_hex(8)}")

    async def watch(self, context: BrowserContext, target: Page | Frame) -> None:
        """Watch a tab, or a frame that is a target of its own.

        Raises:
            playwright.async_api.Error: the tab went away, or the frame is part of its tab.
        """
        page = target if isinstance(target, Page) else target.page
        for number, known in list(self._watched.items()):
            if known.target is target:
                if await _answers(known, 1.0):
                    return
                self._left(number)
        session = await context.new_cdp_session(target)
        self._opened += 1
        number = self._opened
        self._watched[number] = _Watched(session, page, target)
        page.on("close", lambda _: self._left(number))
        page.on("crash", lambda _: self._left(number))
        session.on("Page.windowOpen", lambda _: self._opens_window())
        session.on("Runtime.bindingCalled", lambda event: self._on_said(number, event))
        session.on("Fetch.requestPaused", lambda event: self._on_paused(session, event))
        world = f"guildhall{self._binding}"
        code = f"({engine.watcher()})({json.dumps(self._binding)})"
        work = [
            # Without these two the browser runs neither the script nor its binding.
            session.send("Page.enable"),
            session.send("Runtime.enable"),
            session.send(
                "Runtime.addBinding", {"name": self._binding, "executionContextName": world}
            ),
            session.send(
                "Page.addScriptToEvaluateOnNewDocument",
                {"source": code, "worldName": world, "runImmediately": True},
            ),
        ]
        if self.tested_origin and self.traceparent:
            patterns = [{"urlPattern": f"{_literal(self.tested_origin)}/*"}]
            work.append(session.send("Fetch.enable", {"patterns": patterns}))
        await asyncio.gather(*work)

    def is_watched(self, page: Page) -> bool:
        """Tell whether a tab is watched."""
        return any(each.target is page for each in self._watched.values())

    def session_of(self, page: Page) -> CDPSession | None:
        """Give the debug session of a tab, or None if it is not watched."""
        found = (each.session for each in self._watched.values() if each.target is page)
        return next(found, None)

    async def catch_up(self, page: Page, seconds: float) -> None:
        """Let a tab's processes finish what they have begun; what they said is heard by then.

        What an action set off may wait in a page's queue of tasks, so each process lets one more
        task through before it answers.
        """
        known = [each for each in self._watched.values() if each.page is page]
        limits = [seconds if each.target is page else min(seconds, _FRAME) for each in known]
        await asyncio.gather(*map(_answers, known, limits))

    def trace_of(self, url: str, kind: str) -> str | None:
        """Give the trace id that a request of the page carries, or None."""
        if not self.traceparent or kind in _UNMARKED or origin_of(url) != self.tested_origin:
            return None
        parts = self.traceparent.split("-")
        return parts[1] if len(parts) == 4 else None

    def notices(self, after: int = 0) -> tuple[Notice, ...]:
        """Give the notices with a number beyond ``after``, oldest first."""
        return tuple(each for each in self._notices if each.number > after)

    async def close(self) -> None:
        """Let go of what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _on_said(self, session: int, event: Mapping[str, Any]) -> None:
        if event.get("name") != self._binding:
            return
        try:
            said = json.loads(str(event.get("payload", ""))[:20_000])
            kind, where = said["k"], int(event.get("executionContextId", 0))
            if kind in ("s", "w"):
                self._began(session, where, is_top=kind == "s")
            elif kind == "c":
                self._changed()
            elif kind == "d":
                self.loading.discard(session)
                self.scripts = int(said["s"])
                self._changed()
            elif kind == "n":
                self._appeared((session, where, int(said["i"])), str(said["t"]), str(said["r"]))
            elif kind == "g":
                self._vanished((session, where, int(said["i"])))
        except (ValueError, KeyError, TypeError):
            return

    def _began(self, session: int, world: int, *, is_top: bool) -> None:
        known = self._watched.get(session)
        if known is None:
            return
        if is_top or known.target is not known.page:
            known.world = world
        if is_top:
            self.loading.add(session)
            self.bell()

    def _opens_window(self) -> None:
        self.windows += 1
        self.last_window = time.monotonic()
        self.bell()

    def _left(self, session: int) -> None:
        self.loading.discard(session)
        self._watched.pop(session, None)
        self.bell()

    def _changed(self) -> None:
        self.changes += 1
        self.last_change = time.monotonic()
        self.bell()

    def _appeared(self, key: tuple[int, int, int], text: str, role: str) -> None:
        self.noticed += 1
        if len(self._ids) > 5 * MOST_NOTICES:
            self._ids.clear()
        self._ids[key] = self.noticed
        self._notices.append(Notice(text[:1_000], role, time.time(), False, self.noticed))

    def _vanished(self, key: tuple[int, int, int]) -> None:
        number = self._ids.pop(key, 0)
        for index, notice in enumerate(self._notices):
            if notice.number == number:
                self._notices[index] = replace(notice, gone=True)

    def _on_paused(self, session: CDPSession, event: Mapping[str, Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._continue(session, event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _continue(self, session: CDPSession, event: Mapping[str, Any]) -> None:
        """Send a request on its way, with our header if it goes where that is meant to go."""
        asked = event["request"]
        answer: dict[str, Any] = {"requestId": event["requestId"]}
        if self.traceparent and origin_of(asked["url"]) == self.tested_origin:
            headers = {k: v for k, v in asked["headers"].items() if k.lower() != HEADER}
            headers[HEADER] = self.traceparent
            answer["headers"] = [{"name": k, "value": v} for k, v in headers.items()]
        with suppress(Error, asyncio.TimeoutError):
            await asyncio.wait_for(session.send("Fetch.continueRequest", answer), _LIMIT)


async def _answers(known: _Watched, seconds: float) -> bool:
    """Have a process let one task through; tell whether it did so in time."""
    try:
        async with asyncio.timeout(seconds):
            if known.world is not None:
                with suppress(Error):  # that document went away
                    await known.session.send(
                        "Runtime.evaluate", {"contextId": known.world, **_TURN}
                    )
                    return True
            await known.session.send("Runtime.evaluate", {"expression": "0"})
    except (Error, TimeoutError):
        return False
    return True


def _literal(text: str) -> str:
    """Write a text so that a pattern of the debug protocol matches it alone."""
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
