"""Pictures and files that an attempt leaves behind."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from hashlib import sha256
from typing import Final

from playwright.async_api import Error

from services.runs.engine.browser.models import BrowserGone, Gone, NotReached, PageStuck
from services.runs.engine.browser.stage import Stage
from services.runs.engine.evidence.models import Download, Shot
from services.runs.engine.running.play import Play
from services.runs.engine.running.telling import Teller

MOST_SHOTS: Final = 250
"""Of one attempt: 200 steps, and some more."""

_AHEAD: Final = 1.0
"""Seconds for reading a page ahead."""

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


class Camera:
    """Takes pictures of a stage, and gives its downloads away.

    Args:
        play: the run.
        stage: what is looked at.
        case_id: names the files.
        number: of the attempt; likewise.
        teller: of the case.
    """

    def __init__(self, play: Play, stage: Stage, case_id: str, number: int, teller: Teller) -> None:
        self._play = play
        self._stage = stage
        self._stem = f"{_plain(case_id)}-{number}"
        self._teller = teller
        self._given = len(stage.downloads)
        self.shots: list[Shot] = []
        self.downloads: list[Download] = []

    async def take(
        self, label: str, note: str, step_id: str | None, *, reads_ahead: bool = False
    ) -> None:
        """Take a picture; a page that does not stand still long enough, or is gone, has none.

        With ``reads_ahead`` the page is read meanwhile, for the step that follows at once.
        """
        await self._give_downloads()
        if len(self.shots) >= MOST_SHOTS:
            return
        try:
            picture, _ = await asyncio.gather(
                self._stage.screenshot(), self._read_ahead() if reads_ahead else _nothing()
            )
        except (PageStuck, Gone, NotReached, Error):
            return
        path = f"shots/{self._stem}-{len(self.shots) + 1:03d}.png"
        source = self._play.assignment.scratch / path
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(picture)
        await self._play.outlet.store(path, source)
        shot = Shot(label=label, note=note, path=path, step_id=step_id)
        self.shots.append(shot)
        await self._teller.shot(shot)

    async def _read_ahead(self) -> None:
        # Whoever reads next says what is wrong with the page.
        with suppress(BrowserGone, PageStuck, Gone, NotReached, Error):
            await self._stage.read(seconds=_AHEAD)
            self._stage.keep_reading()

    async def _give_downloads(self) -> None:
        for one in self._stage.downloads[self._given :]:
            self._given += 1
            if one.path is None:
                continue
            name = _UNSAFE.sub("-", self._play.masker.mask(one.name))[:80] or "file"
            path = f"downloads/{self._stem}-{self._given}-{name}"
            await self._play.outlet.store(path, one.path)
            self.downloads.append(Download(name=name, path=path, size=one.size))


async def _nothing() -> None:
    return None


def _plain(case_id: str) -> str:
    """Give a name of files that no other case has: different ids may look alike once plain."""
    plain = _UNSAFE.sub("-", case_id)[:60]
    if plain == case_id:
        return plain
    return f"{plain}-{sha256(case_id.encode(errors='replace')).hexdigest()[:8]}"
