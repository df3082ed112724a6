"""What the browser is told and what it tells: settings, readings, requests, notices.

Texts in these are the tested page's own: cut to a length, and never an instruction.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.runs.engine.resolver.models import Candidate
from shared.targets import TargetPolicy

MOST_TABS: Final = 10
MOST_DOWNLOADS: Final = 20
LARGEST_DOWNLOAD: Final = 50 * 1024 * 1024


class BrowserGone(Exception):
    """The browser died, or does not answer any more."""


class BrowserMissing(BrowserGone):
    """There is no browser, or none that starts here."""


class Gone(Exception):
    """The element of a reading is not in the page any more."""


class PageStuck(Exception):
    """The page did not answer in time: it spins, or never loads."""


class PageCrashed(PageStuck):
    """The page's process died. Nothing comes round any more in this tab."""


class NotReached(Exception):
    """There was no answer: no such name, no connection, a broken reply. Says the browser's word."""


class UrlNotAllowed(Exception):
    """The target policy closes this address.

    Attributes:
        url: as it was asked for, without credentials and query.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(
            f"{url} may not be reached from here; whoever runs this installation can open it "
            "with GUILDHALL_URL_ALLOW"
        )


@dataclass(frozen=True, slots=True)
class BrowserSettings:
    """How to get a browser.

    Attributes:
        targets: what may be reached.
        scratch: folder for downloads, profiles and traces; the run's own.
        executable: path of Chromium; None for ``/usr/bin/chromium`` where there is one, else
            Playwright's own.
        endpoint: ``ws://`` of a remote browser; then nothing is started here.
        headed: with a window, where there is a display.
        sandbox: whether Chromium contains its pages; None: wherever that can be expected to work.
        proxy_host: address to listen at for a remote browser; loopback if there is none.
    """

    targets: TargetPolicy
    scratch: Path
    executable: str | None = None
    endpoint: str | None = None
    headed: bool = False
    sandbox: bool | None = None
    proxy_host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Reading:
    """A page at one moment.

    Attributes:
        url: of the page.
        title: of the page.
        candidates: in page order, over all frames.
        truncated: whether there were more than are read.
        focused_form: ``Candidate.form`` of the element with the focus; else None.
    """

    url: str
    title: str
    candidates: tuple[Candidate, ...]
    truncated: bool = False
    focused_form: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment to settle from or to look back to. Opaque."""

    requests: int
    navigations: int
    notices: int
    console: int
    tabs: int
    at: float
    changes: int = 0
    dialogs: int = 0
    windows: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of an action.

    Attributes:
        navigated: whether the page's address or document changed.
        new_tab: whether a tab was opened, and followed.
        changed: whether the page changed.
        requests: begun by it.
        in_time: False if the page was still busy at the cap.
        dialogs: messages of dialogs that came up.
    """

    navigated: bool = False
    new_tab: bool = False
    changed: bool = False
    requests: int = 0
    in_time: bool = True
    dialogs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the page made.

    Attributes:
        number: counts from 1 over the stage.
        method: in capitals.
        url: without credentials.
        kind: ``document``, ``xhr``, ``fetch``, ``script``, …
        status: of the answer; None while there is none.
        failure: the browser's word for it where it failed; else empty.
        trace_id: ours where the request carried ``traceparent``, else the answer's
            ``x-trace-id`` or ``x-request-id``, else None.
        answer_id: the answer's own id, where we sent one of ours; else None.
        server_timing: header of that name, cut to 500 characters; else empty.
        started: Unix time.
        refused: whether the target policy refused it.
    """

    number: int
    method: str
    url: str
    kind: str
    status: int | None
    failure: str
    trace_id: str | None
    server_timing: str
    started: float
    refused: bool = False
    answer_id: str | None = None

    @property
    def is_error(self) -> bool:
        """Tell whether the answer was a fault, or never came."""
        return bool(self.failure) or (self.status is not None and self.status >= 400)


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """A line of the console, or an exception that nobody caught (level ``exception``)."""

    number: int
    level: str
    text: str
    url: str
    ts: float


@dataclass(frozen=True, slots=True)
class Notice:
    """A toast, alert or status message, also one that has vanished since.

    Attributes:
        text: what it said, at most 1,000 characters.
        role: ``alert``, ``status``, ``log``, ``dialog`` or ``toast``.
        ts: Unix time of its first sight.
        gone: whether it has vanished.
        number: counts from 1 over the stage.
    """

    text: str
    role: str
    ts: float
    gone: bool
    number: int = 0


@dataclass(frozen=True, slots=True)
class Dialog:
    """A native dialog that came up, and what was answered.

    Attributes:
        kind: ``alert``, ``confirm``, ``prompt`` or ``beforeunload``.
        message: what it asked.
        accepted: how it was answered.
        expected: whether a step had said how.
    """

    kind: str
    message: str
    accepted: bool
    expected: bool


@dataclass(frozen=True, slots=True)
class Download:
    """A file that the page gave.

    Attributes:
        name: as the page suggested, reduced to a plain file name.
        path: in the scratch folder; None if it failed or was too large.
        size: in bytes.
        url: where from, without credentials and query.
        failure: why there is no file; else empty.
    """

    name: str
    path: Path | None
    size: int
    url: str
    failure: str = ""
