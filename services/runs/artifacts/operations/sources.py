"""Files that a run's process left in its scratch folder, which nobody has to trust."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from shared.errors import NotFound

PIECE: Final = 524_288
"""Bytes that are read at once."""


async def pieces_beneath(folder: Path, name: str) -> AsyncIterator[bytes]:
    """Read a plain file below a folder.

    Nothing on the way is followed that leads elsewhere: no link, no ``..``; a pipe or a device is
    no file.

    Args:
        folder: trusted itself.
        name: relative to it.

    Raises:
        NotFound: there is no such file.
    """
    file = await asyncio.to_thread(_open, folder, name)
    with file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


def _open(folder: Path, name: str) -> BinaryIO:
    parts = PurePosixPath(name).parts
    if not parts or "\0" in name or any(part in ("/", "..") for part in parts):
        raise NotFound
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        # Opening a pipe would wait for who writes to it.
        file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    except OSError:
        raise NotFound from None
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise NotFound
    return os.fdopen(file, "rb", buffering=0)
