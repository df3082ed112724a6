"""Getting a browser: started here behind the guarded proxy, or a remote one."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    Error,
    Page,
    Playwright,
    ProxySettings,
    async_playwright,
)

from services.runs.engine.browser import ending, engine, programs
from services.runs.engine.browser.admission import show_pass
from services.runs.engine.browser.bounded import Life
from services.runs.engine.browser.guard import Guard, Pass
from services.runs.engine.browser.models import BrowserGone, BrowserMissing, BrowserSettings
from services.runs.engine.browser.stage import Stage, StageOptions

_LONGEST_HOME: Final = 55
"""Characters of a path in which Chromium can still make its sockets."""

_DRIVER: Final = 20.0
"""Seconds for Playwright's driver to start."""

_START: Final = 28.0
"""Seconds for a browser to say its first word."""

_LIMIT: Final = 15.0

_CLOSING: Final = 5.0
"""Seconds that a browser gets to end by itself."""

_KILLED: Final = re.compile(r"signal=SIG(?:KILL|TERM|INT|HUP)|Connection closed")

_FLAGS: Final = (
    # Nothing but the tested page's traffic, and that through the proxy alone.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-quic",
    "--no-pings",
    "--no-first-run",
    "--metrics-recording-only",
    # WebRTC goes around proxies. Chromium reads the first of these, its headless shell the second.
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    # Names are the proxy's to resolve; its own address needs no look-up.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--password-store=basic",
)


class Browsers:
    """Playwright, one Chromium and its proxy. Open it with ``opened``."""

    def __init__(self, browser: Browser, guard: Guard, life: Life, settings: BrowserSettings):
        self._browser = browser
        self._guard = guard
        self._life = life
        self._settings = settings
        self.sandboxed = False

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: BrowserSettings) -> AsyncIterator[Browsers]:
        """Start or reach the browser; it ends with the context, whatever it is doing.

        Raises:
            BrowserMissing: there is none, or it does not start.
            BrowserGone: it was killed while it started.
        """
        missing = programs.missing(settings.executable, os.environ)
        if missing is not None and not settings.endpoint:
            raise BrowserMissing(f"{missing} {programs.ADVICE}")
        life = Life()
        async with AsyncExitStack() as stack:
            guard = await stack.enter_async_context(
                Guard.opened(settings.targets, settings.proxy_host)
            )
            folder = settings.scratch / "browser"
            folder.mkdir(parents=True, exist_ok=True)
            home = stack.enter_context(_short(folder))
            manager = async_playwright()
            try:
                playwright = await asyncio.wait_for(manager.start(), _DRIVER)
                stack.push_async_callback(_quietly, playwright.stop())
                await engine.register(playwright)
                async with asyncio.timeout(_START):
                    browser, sandboxed = await _get(playwright, settings, guard, home)
            except (Exception, asyncio.CancelledError) as error:
                await asyncio.to_thread(ending.kill, home)
                if _was_killed(error):
                    raise BrowserGone("the browser was killed while it started") from error
                if isinstance(error, TimeoutError | Error | OSError):
                    said = f"the browser did not start: {_first_line(error)}"
                    raise BrowserMissing(said) from error
                raise
            browser.on("disconnected", lambda _: life.end())
            # Playwright has no public word for the death of its own driver; without this one
            # whoever waits for an event of the page would wait to the end of his patience.
            with suppress(AttributeError):
                playwright._impl_obj._connection.on("close", lambda *_: life.end())
            browsers = cls(browser, guard, life, settings)
            browsers.sandboxed = sandboxed
            try:
                yield browsers
            finally:
                if not await _quietly(browser.close(), _CLOSING):
                    await asyncio.to_thread(ending.kill, home)
                life.end()

    @property
    def version(self) -> str:
        """The browser's name and version, for the report."""
        return f"{self._browser.browser_type.name} {self._browser.version}"

    @property
    def is_gone(self) -> bool:
        """Whether the browser died."""
        return self._life.is_over

    async def stage(
        self,
        *,
        width: int,
        height: int,
        tested_origin: str,
        traceparent: str | None = None,
        record_trace: bool = False,
    ) -> Stage:
        """Open a fresh context with one empty tab.

        Args:
            width: of the viewport.
            height: of the viewport.
            tested_origin: base address of the suite; requests to its origin carry ``traceparent``.
            traceparent: W3C header of this run and case; ``Stage.trace_as`` changes it.
            record_trace: begin a Playwright trace at once.

        Raises:
            BrowserGone: the browser died, or does not answer.
        """
        entry = self._guard.issue()
        context, page = await self._life.within(self._context(width, height, entry), _LIMIT)
        options = StageOptions(tested_origin, traceparent, self._settings.scratch)
        stage = Stage(context, self._life, entry, options)
        try:
            await stage.begin(page)
            if record_trace:
                await stage.start_trace()
        except BaseException:
            await stage.close()
            raise
        return stage

    async def _context(self, width: int, height: int, entry: Pass) -> tuple[BrowserContext, Page]:
        proxy: ProxySettings | None = None
        if self._settings.endpoint:
            proxy = {"server": self._guard.address, "bypass": "<-loopback>"}
        context = await self._browser.new_context(
            viewport={"width": width, "height": height},
            accept_downloads=True,
            ignore_https_errors=False,
            locale="en-US",
            proxy=proxy,
        )
        try:
            context.set_default_timeout(10_000)
            context.set_default_navigation_timeout(30_000)
            page = await context.new_page()
            await show_pass(context, page, entry)
        except BaseException:
            await _quietly(context.close())
            raise
        return context, page


async def _get(
    playwright: Playwright, settings: BrowserSettings, guard: Guard, home: Path
) -> tuple[Browser, bool]:
    """Start or reach the browser; the second tells whether its sandbox is on."""
    if settings.endpoint:
        if urlsplit(settings.endpoint).path.startswith("/devtools/"):
            return await playwright.chromium.connect_over_cdp(settings.endpoint), False
        return await playwright.chromium.connect(settings.endpoint), False
    wanted = may_sandbox() if settings.sandbox is None else settings.sandbox
    try:
        return await _start(playwright, settings, guard, home, sandbox=wanted), wanted
    except Error as error:
        if not wanted or settings.sandbox or _was_killed(error):
            raise
        # What the kernel allows shows only when it is tried.
        return await _start(playwright, settings, guard, home, sandbox=False), False


@contextmanager
def _short(folder: Path) -> Iterator[Path]:
    """Give a folder by a short path, for Chromium's sockets: a link where its own is too long."""
    if len(str(folder)) <= _LONGEST_HOME:
        yield folder
        return
    usual = Path(tempfile.gettempdir())
    place = usual if len(str(usual)) <= _LONGEST_HOME - 35 else Path("/tmp")  # noqa: S108
    # Whoever kills this process finds what is left of it by the run's mark.
    prefix = f"guildhall-{os.environ.get('GUILDHALL_ENGINE_RUN', '')[:8]}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place, ignore_cleanup_errors=True) as found:
        link = Path(found, "b")
        link.symlink_to(folder.absolute(), target_is_directory=True)
        yield link


async def _start(
    playwright: Playwright, settings: BrowserSettings, guard: Guard, home: Path, *, sandbox: bool
) -> Browser:
    return await playwright.chromium.launch(
        executable_path=programs.chosen(settings.executable),
        headless=not (settings.headed and has_display()),
        chromium_sandbox=sandbox,
        args=list(_FLAGS),
        proxy={"server": guard.address, "bypass": "<-loopback>"},
        downloads_path=settings.scratch / "browser",
        env=_environment(home),
        handle_sigint=False,
        handle_sigterm=False,
        handle_sighup=False,
        timeout=_START * 1000,
    )


def _environment(folder: Path) -> dict[str, str | float | bool]:
    """Give what Chromium needs to see of our environment, and nothing of its proxies."""
    kept = ("PATH", "LANG", "DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "FONTCONFIG_PATH")
    marks = tuple(name for name in os.environ if name.startswith("GUILDHALL_ENGINE_"))
    found: dict[str, str | float | bool] = {
        name: os.environ[name] for name in (*kept, *marks) if name in os.environ
    }
    return found | {"HOME": str(folder), "TMPDIR": str(folder)}


def may_sandbox() -> bool:
    """Tell whether Chromium's sandbox can be expected to work: never for root."""
    if os.geteuid() == 0:
        return False
    switch = Path("/proc/sys/kernel/unprivileged_userns_clone")
    with suppress(OSError):
        return (
            switch.read_text().strip() != "0" or Path("/usr/lib/chromium/chrome-sandbox").exists()
        )
    return True


def has_display() -> bool:
    """Tell whether a window could be shown."""
    return sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


async def _quietly(work: object, seconds: float = _LIMIT) -> bool:
    """Await an ending that may fail or never come; tell whether it came."""
    with suppress(Error, asyncio.TimeoutError, OSError):
        await asyncio.wait_for(work, seconds)  # type: ignore[arg-type]
        return True
    return False


def _was_killed(error: BaseException) -> bool:
    """Tell whether the browser or Playwright's driver was ended from outside while it started."""
    text = str(error)
    # Where the driver died nobody has noted what the browser said.
    return bool(_KILLED.search(text)) or ("has been closed" in text and "logs:" not in text)


def _first_line(error: BaseException) -> str:
    """Say why it did not start: in the browser's own last words, if it had any."""
    lines = str(error).strip().split("\n")
    fatal = next((line.partition("FATAL:")[2] for line in lines if "FATAL:" in line), "")
    return (fatal or lines[0])[:300] or type(error).__name__
