"""Scratch folders: one of each run, below the worker's own, which is locked while it lives."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from services.runs.workers.models import Claim
from shared.log import get_logger

UNFINISHED: Final = 3600.0
"""Seconds after which a folder that was never finished is nobody's."""

_LOCK: Final = "lock"
_SUFFIX: Final = ".json"

log = get_logger()


class Folders:
    """The folder of one worker, and those of its runs in it.

    Folders have short names, because paths of the browser's sockets have room for few characters.

    Args:
        above: where workers have their folders.
        name: of this worker's.
    """

    def __init__(self, above: Path, name: str) -> None:
        self._above = above.resolve()
        self._name = name
        self._own = self._above / name
        self._lock: int | None = None
        self._count = 0

    def open(self) -> None:
        """Make the worker's folder, locked from its first moment on."""
        self._above.mkdir(mode=0o700, parents=True, exist_ok=True)
        hidden = self._above / f".{self._name}"
        hidden.mkdir(mode=0o700)
        self._lock = os.open(hidden / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        hidden.rename(self._own)

    def close(self) -> None:
        """Remove the worker's folder."""
        remove(self._own)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @asynccontextmanager
    async def of_run(self) -> AsyncIterator[tuple[Path, Callable[[Claim], None]]]:
        """Make a run's folder, and give what writes its claim down beside it, out of its reach."""
        self._count += 1
        scratch = self._own / str(self._count)
        scratch.mkdir(mode=0o700)
        note = self._own / f"{self._count}{_SUFFIX}"

        def write(claim: Claim) -> None:
            new = note.with_suffix(".new")
            new.write_text(claim.model_dump_json())
            new.rename(note)

        try:
            yield scratch, write
        finally:
            await asyncio.to_thread(remove, scratch)
            note.unlink(missing_ok=True)

    async def sweep(self, bury: Callable[[Claim], Awaitable[None]]) -> None:
        """Find folders of workers that are dead, and remove them.

        Args:
            bury: called for each run that such a worker had in hand.
        """
        for folder in self._others():
            lock = _take(folder)
            if lock is None:
                continue
            try:
                for claim in _claims(folder):
                    await bury(claim)
                await asyncio.to_thread(remove, folder)
                log.info("folder of a dead worker removed", folder=folder.name)
            finally:
                os.close(lock)

    def _others(self) -> list[Path]:
        found = []
        for folder in self._above.iterdir():
            if not folder.is_dir() or folder.is_symlink() or folder.name == self._name:
                continue
            if folder.name.startswith("."):
                with suppress(OSError):
                    if folder.stat().st_mtime + UNFINISHED < time.time():
                        remove(folder)
                continue
            found.append(folder)
        return found


def _take(folder: Path) -> int | None:
    """Lock the folder of a worker that does not live any more; None if it does."""
    try:
        lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None  # somebody else was faster
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _claims(folder: Path) -> list[Claim]:
    found = []
    for note in folder.glob(f"*{_SUFFIX}"):
        try:
            found.append(Claim.model_validate_json(note.read_bytes()))
        except (OSError, ValueError):
            log.warning("claim not understood", folder=folder.name)
    return found


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it; links are not followed."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        log.warning("folder not removed", folder=folder.name)
