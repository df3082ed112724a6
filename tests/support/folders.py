"""Temporary folders that the embedded PostgreSQL's system user can enter.

Pytest's own are closed to other users, and as root the server runs as one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_ENOUGH_MEMORY: Final = 1_000_000_000


def fast_parent() -> Path:
    """Give a place for files that need not outlive the machine: in memory where that goes."""
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > _ENOUGH_MEMORY:
        return memory
    return Path(tempfile.gettempdir())


@contextmanager
def open_folder(prefix: str = "guildhall-test-") -> Iterator[Path]:
    """Make a folder that every user can enter, and delete it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=fast_parent()))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
