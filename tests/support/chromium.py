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
