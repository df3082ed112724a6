"""Files that pages give: into the run's scratch folder, and no more than fits."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from playwright.async_api import BrowserContext, Error, Page
from playwright.async_api import Download as Offered

from services.runs.engine.browser.models import LARGEST_DOWNLOAD, MOST_DOWNLOADS, Download
from services.runs.engine.browser.reading import without_query

_LIMIT: Final = 60.0
_LOOK: Final = 0.2
"""Seconds between two looks at how much has come; the browser itself knows no limit."""


class Downloads:
    """The files of one stage. ``raw`` is where the browser writes, ``kept`` where they stay."""

    def __init__(self, raw: Path, kept: Path) -> None:
        self._raw = raw
        self._kept = kept
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self.done: list[Download] = []

    def listen(self, page: Page) -> None:
        """Take what a tab gives."""
        page.on("download", self._on_download)

    async def settle(self) -> None:
        """Wait for those under way."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LIMIT)

    async def close(self) -> None:
        """Give up those under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def under_way(self) -> int:
        """Count those that are not whole yet."""
        return len(self._tasks)

    def _on_download(self, offered: Offered) -> None:
        self._count += 1
        task = asyncio.get_running_loop().create_task(self._take(offered, self._count))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, offered: Offered, number: int) -> None:
        name = plain_name(offered.suggested_filename)
        url = without_query(offered.url)
        if number > MOST_DOWNLOADS:
            with suppress(Error):
                await offered.cancel()
            return
        try:
            async with asyncio.timeout(_LIMIT):
                saved = asyncio.ensure_future(self._save(offered, number, name))
                try:
                    while not (await asyncio.wait((saved,), timeout=_LOOK))[0]:
                        if await asyncio.to_thread(_bytes_in, self._raw) > LARGEST_DOWNLOAD:
                            await offered.cancel()
                            raise ValueError("too large")
                    path = saved.result()
                finally:
                    saved.cancel()
            size = path.stat().st_size
            if size > LARGEST_DOWNLOAD:
                path.unlink()
                raise ValueError("too large")
            self.done.append(Download(name, path, size, url))
        except (TimeoutError, Error, OSError, ValueError) as error:
            with suppress(Error):
                await offered.cancel()
            reason = "too large" if isinstance(error, ValueError) else "it did not come whole"
            self.done.append(Download(name, None, 0, url, reason))

    async def _save(self, offered: Offered, number: int, name: str) -> Path:
        self._kept.mkdir(parents=True, exist_ok=True)
        path = self._kept / f"{number}-{name}"
        await offered.save_as(path)
        await offered.delete()
        return path


def plain_name(name: str) -> str:
    """Reduce a name that a page suggests to a plain file name."""
    plain = re.sub(r"[^\w.\- ]+", "_", name.replace("\\", "/").rpartition("/")[2]).strip(". ")
    return plain[-100:] or "download"


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.glob("*"):
        with suppress(OSError):
            total += path.stat().st_size
    return total


def watch(context: BrowserContext, downloads: Downloads) -> None:
    """Take what any tab of a context gives."""
    context.on("page", downloads.listen)
