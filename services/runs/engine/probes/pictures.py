"""Comparing pictures: PNG only, its size read before anything is unpacked, in a process of its own.

The process has bounds on memory and time, so that a picture made to burst them costs nobody else.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LARGEST: Final = 10 * 1_048_576
"""Bytes of a picture (contract, section 16)."""

MOST_PIXELS: Final = 40_000_000

AT_ONCE: Final = 2
"""Comparisons of one process; each may take half a gigabyte."""

PATIENCE: Final = 30.0
"""Seconds for a comparison, and as many again for its turn."""

LARGEST_DIFFERENCE: Final = 64 * 1_048_576

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PROGRAM: Final = Path(__file__).with_name("comparing.py")


class NotAPicture(Exception):
    """What was sent is no whole PNG, or one too large; ``is_too_large`` tells which."""

    def __init__(self, reason: str, *, is_too_large: bool = False) -> None:
        self.reason = reason
        self.is_too_large = is_too_large
        super().__init__(reason)


class ComparingFailed(Exception):
    """There was no time or no room to compare; the pictures may be fine."""


@dataclass(frozen=True, slots=True)
class Size:
    """In pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True, repr=False)
class Compared:
    """What came of a comparison.

    Attributes:
        share: of pixels that differ, 0 to 1; pixels that only one picture has differ.
        pixels: that differ.
        difference: a PNG in which they are red; None where none do, or where the two sizes together
            are too large to be drawn.
    """

    share: float
    pixels: int
    difference: bytes | None


def read_size(picture: bytes) -> Size:
    """Read a PNG's size from its head, without unpacking anything.

    Raises:
        NotAPicture: it is none, or it is too large.
    """
    if len(picture) > LARGEST:
        raise NotAPicture(f"has more than {LARGEST} bytes", is_too_large=True)
    if len(picture) < 33 or not picture.startswith(_SIGNATURE) or picture[12:16] != b"IHDR":
        raise NotAPicture("is no PNG")
    width, height = struct.unpack(">II", picture[16:24])
    if not width or not height:
        raise NotAPicture("is no PNG")
    if width * height > MOST_PIXELS:
        raise NotAPicture(f"has more than {MOST_PIXELS} pixels", is_too_large=True)
    return Size(width, height)


class Comparer:
    """Compares, a bounded number at once. One for a process."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def check(self, picture: bytes) -> Size:
        """Unpack a picture, to see that it is one.

        Raises:
            NotAPicture: it is none, or it is too large.
            ComparingFailed: there was no time for it.
        """
        size = read_size(picture)
        await self._run([picture])
        return size

    async def compare(self, baseline: bytes, picture: bytes) -> Compared:
        """Compare pixel by pixel, transparency included.

        Raises:
            NotAPicture: the new one is none, or it is too large.
            ComparingFailed: there was no time for it.
        """
        read_size(picture)
        said, difference = await self._run([picture, baseline])
        return Compared(float(said["share"]), int(said["pixels"]), difference or None)

    async def _run(self, pictures: Sequence[bytes]) -> tuple[dict[str, float], bytes]:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._turns.acquire()
        except TimeoutError:
            raise ComparingFailed from None
        try:
            return await _in_a_process(pictures)
        finally:
            self._turns.release()


async def _in_a_process(pictures: Sequence[bytes]) -> tuple[dict[str, float], bytes]:
    sizes = struct.pack(f">{len(pictures)}I", *map(len, pictures))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(_PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            given = bytes([len(pictures)]) + sizes + b"".join(pictures)
            answer, _ = await process.communicate(given)
    except TimeoutError:
        raise ComparingFailed from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode == 3:
        raise NotAPicture("is no PNG that can be unpacked")
    if process.returncode != 0 or len(answer) > LARGEST_DIFFERENCE:
        raise ComparingFailed
    head, _, difference = answer.partition(b"\n")
    said: dict[str, float] = json.loads(head)
    return said, difference
