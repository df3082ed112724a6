"""Reports and pictures as files: each is there whole, or not at all."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from pydantic_core import to_json

from guildhall.failures import Failure
from services.runs.engine import evidence

LARGEST: Final = 2 * 1_073_741_824
"""Bytes that one run may leave behind."""

MOST_INLINE: Final = 20_000_000
"""Bytes of pictures that are put into the page; it links to the others."""

LONGEST_PATH: Final = 300

REPORTS: Final = ("report.json", "junit.xml", "report.html")

_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")


def opened(place: Path) -> Path:
    """Make the folder of all reports.

    Raises:
        Failure: nothing can be written there.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        raise Failure(f"{place}: {error.strerror or 'nothing can be written there'}") from None
    return place


def is_path(path: str) -> bool:
    """Tell whether a file of a run can be called so."""
    return _PATH.fullmatch(path) is not None and ".." not in path and len(path) <= LONGEST_PATH


class Folder:
    """The files of one run.

    Args:
        place: where; made with its first file.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self._left = LARGEST

    async def put(self, path: str, source: bytes | AsyncIterator[bytes]) -> None:
        """See ``Keeper``."""
        if not is_path(path):
            raise ValueError("no file can be called so")
        target = self.place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as file:
            try:
                if isinstance(source, bytes):
                    file.write(self._counted(source))
                else:
                    async for piece in source:
                        await asyncio.to_thread(file.write, self._counted(piece))
                file.flush()
                # Temporary files are for their owner alone; reports are for whoever may look.
                os.fchmod(file.fileno(), 0o666 & ~_umask())
                os.replace(file.name, target)
            except BaseException:
                os.unlink(file.name)
                raise

    def clear(self) -> None:
        """Remove what an earlier run left here, and named: it would be taken for this one's."""
        try:
            earlier = evidence.read(json.loads((self.place / REPORTS[0]).read_bytes()))
        except (OSError, ValueError, RecursionError):
            return  # there was none, or it was somebody else's
        named = [shot.path for case in earlier.cases for shot in case.shots if is_path(shot.path)]
        for path in (*named, *REPORTS):
            with suppress(OSError):
                (self.place / path).unlink()

    def _counted(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise ValueError("the run leaves too much behind")
        return piece

    async def report(self, report: Mapping[str, Any]) -> None:
        """Write a report as JSON, as JUnit XML and as a page beside its pictures."""
        for path, content in (await asyncio.to_thread(self._written, report)).items():
            await self.put(path, content)

    def _written(self, report: Mapping[str, Any]) -> dict[str, bytes]:
        read = evidence.read(report)
        shots = [shot.path for case in read.cases for shot in case.shots]
        return {
            "report.html": evidence.page(read, self._pictures(shots)).encode(),
            "junit.xml": evidence.junit(read).encode(),
            "report.json": to_json(report, indent=2, inf_nan_mode="null"),
        }

    def _pictures(self, paths: list[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        left = MOST_INLINE
        for path in paths:
            place = self.place / path
            if is_path(path) and place.is_file() and place.stat().st_size <= left:
                found[path] = place.read_bytes()
                left -= len(found[path])
        return found


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
