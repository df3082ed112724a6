"""A real browser: Chromium without a window, opened at an address by a test.

Needs Debian's package ``chromium``, or Chrome. Its profile is a folder of the test's own.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PLACES: Final = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_OPTIONS: Final = (
    "--headless=new",
    "--no-sandbox",  # it is started as root in containers, and sees the test's own pages only
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--password-store=basic",
)


def program() -> str | None:
    """Find the browser."""
    named = (shutil.which(name) for name in _NAMES)
    placed = (place for place in _PLACES if Path(place).is_file())
    return next((found for found in (*named, *placed) if found), None)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A page as the browser had it in the end.

    Attributes:
        dom: its elements as HTML, after all that ran.
        said: what stood in the browser's console, violations of the page's policy too.
    """

    dom: str
    said: list[str]


async def loaded(url: str, folder: Path, limit: float = 60.0) -> Loaded:
    """Load an address, let what runs in it run, and look at it; ``folder`` takes the profile."""
    found = program()
    assert found is not None, "ask program() first"
    browser = await asyncio.create_subprocess_exec(
        found,
        *_OPTIONS,
        f"--user-data-dir={folder}",
        "--enable-logging=stderr",
        "--virtual-time-budget=3000",
        "--dump-dom",
        url,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(limit):
            dom, log = await browser.communicate()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        await browser.wait()
    lines = log.decode(errors="replace").splitlines()
    return Loaded(dom.decode(errors="replace"), [line for line in lines if ":CONSOLE" in line])


@asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[None]:
    """Open an address, for as long as the context lasts; ``folder`` takes the profile."""
    found = program()
    assert found is not None, "ask program() first"
    browser = await asyncio.create_subprocess_exec(
        found,
        *_OPTIONS,
        f"--user-data-dir={folder}",
        url,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        await browser.wait()
