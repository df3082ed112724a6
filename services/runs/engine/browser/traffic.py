"""What a stage's pages sent, got and said: requests, their answers, and the console."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Error, Page, WebError
from playwright.async_api import Request as Asked
from playwright.async_api import Response as Answered

from services.runs.engine.browser.models import ConsoleLine, Request

MOST_REQUESTS: Final = 2_000
MOST_LINES: Final = 500
MOST_OPEN: Final = 2_000
LONGEST_URL: Final = 2_000
LONGEST_LINE: Final = 2_000

# Loading these changes no text and no control; streams and beacons have no end to wait for.
_NOT_AWAITED: Final = frozenset(
    {"image", "media", "font", "websocket", "eventsource", "ping", "manifest", "texttrack", "other"}
)


@dataclass(slots=True)
class _Open:
    number: int
    method: str
    url: str
    kind: str
    started: float
    is_awaited: bool
    trace_id: str | None = None
    status: int | None = None
    answer_id: str | None = None
    server_timing: str = ""


@dataclass(eq=False)
class Traffic:
    """The record, and who is told when it changes.

    Without slots, because Playwright keeps its wrappers of handlers in their instance.

    Attributes:
        bell: called after each change.
        was_refused: tells whether the proxy refused a host and port of late.
        trace_of: gives our trace id for an address, or None where none is sent.
    """

    bell: Callable[[], None]
    was_refused: Callable[[str, int], bool]
    trace_of: Callable[[str, str], str | None]
    begun: int = 0
    said: int = 0
    last_end: float = 0.0
    _open: OrderedDict[Asked, _Open] = field(default_factory=OrderedDict)
    _done: deque[Request] = field(default_factory=lambda: deque(maxlen=MOST_REQUESTS))
    _lines: deque[ConsoleLine] = field(default_factory=lambda: deque(maxlen=MOST_LINES))

    def listen(self, context: BrowserContext) -> None:
        """Follow all tabs of a context."""
        context.on("request", self._on_request)
        context.on("response", self._on_response)
        context.on("requestfinished", self._on_finished)
        context.on("requestfailed", self._on_failed)
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)

    def requests(self, after: int = 0) -> tuple[Request, ...]:
        """Give the requests with a number beyond ``after``, those under way too, oldest first."""
        under_way = [_closed(each, "", refused=False) for each in self._open.values()]
        found = [each for each in (*self._done, *under_way) if each.number > after]
        return tuple(sorted(found, key=lambda each: each.number)[-MOST_REQUESTS:])

    def lines(self, after: int = 0) -> tuple[ConsoleLine, ...]:
        """Give the console's lines with a number beyond ``after``."""
        return tuple(each for each in self._lines if each.number > after)

    def waiting(self, after: int) -> int:
        """Count requests begun later than ``after`` whose answer somebody might wait for."""
        return sum(each.is_awaited for each in self._open.values() if each.number > after)

    def forget(self, page: Page) -> None:
        """Await nothing more of a tab that closed."""
        for asked in [each for each in self._open if _is_of(each, page)]:
            found = self._open.pop(asked)
            self._done.append(_closed(found, "the tab was closed", refused=False))
        self.bell()

    def _on_request(self, asked: Asked) -> None:
        self.begun += 1
        self._open[asked] = _Open(
            number=self.begun,
            method=asked.method[:20],
            url=_shown(asked.url),
            kind=asked.resource_type,
            started=time.time(),
            is_awaited=asked.resource_type not in _NOT_AWAITED,
            trace_id=self.trace_of(asked.url, asked.resource_type),
        )
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        self.bell()

    def _on_response(self, answered: Answered) -> None:
        found = self._open.get(answered.request)
        if found is None:
            return
        headers = answered.headers
        found.status = answered.status
        found.answer_id = (headers.get("x-trace-id") or headers.get("x-request-id") or "")[
            :200
        ] or None
        found.server_timing = headers.get("server-timing", "")[:500]
        if headers.get("content-type", "").startswith("text/event-stream"):
            found.is_awaited = False
            self.bell()

    def _on_finished(self, asked: Asked) -> None:
        found = self._open.pop(asked, None)
        if found is not None:
            refused = found.status == 403 and self.is_refused(found.url)
            self._done.append(_closed(found, "", refused=refused))
            self._ended()

    def _on_failed(self, asked: Asked) -> None:
        found = self._open.pop(asked, None)
        if found is not None:
            failure = (asked.failure or "failed")[:200]
            self._done.append(_closed(found, failure, refused=self.is_refused(found.url)))
            self._ended()

    def _ended(self) -> None:
        self.last_end = time.monotonic()
        self.bell()

    def is_refused(self, url: str) -> bool:
        """Tell whether the proxy refused an address of late."""
        parts = urlsplit(url)
        secure = parts.scheme in ("https", "wss")
        try:
            return self.was_refused(parts.hostname or "", parts.port or (443 if secure else 80))
        except ValueError:
            return False

    def _on_console(self, message: ConsoleMessage) -> None:
        self._say(message.type, message.text, message.location.get("url", ""))

    def _on_error(self, error: WebError) -> None:
        page = error.page
        self._say("exception", str(error.error), page.url if page else "")

    def _say(self, level: str, text: str, url: str) -> None:
        self.said += 1
        self._lines.append(
            ConsoleLine(self.said, level, text[:LONGEST_LINE], _shown(url), time.time())
        )


def _is_of(asked: Asked, page: Page) -> bool:
    try:
        return asked.frame.page is page
    except Error:
        return False  # a service worker's


def _closed(found: _Open, failure: str, *, refused: bool) -> Request:
    return Request(
        number=found.number,
        method=found.method,
        url=found.url,
        kind=found.kind,
        status=found.status,
        failure=failure,
        trace_id=found.trace_id or found.answer_id,
        server_timing=found.server_timing,
        started=found.started,
        refused=refused,
        answer_id=found.answer_id if found.trace_id else None,
    )


def _shown(url: str) -> str:
    """Give an address cut to a length, without credentials."""
    if url.startswith("data:"):
        return url[:60]
    try:
        parts = urlsplit(url)
        if "@" in parts.netloc:
            url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        pass
    return url[:LONGEST_URL]
