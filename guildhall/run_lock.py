"""Only one ``guildhall up`` per data dir, and knowing whether the last one was killed."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from guildhall.failures import Failure


class AlreadyRunning(Failure):
    """Another ``guildhall up`` works on this data dir."""


class RunLock:
    """A lock that ends with the process, however it ends.

    The file holds the process number while it runs and is emptied at an orderly end: so a number
    that nobody locks tells of a run that was killed, whose children may need a moment to go.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "up.lock"
        self._file: IO[str] | None = None
        self.last_was_killed = False

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            AlreadyRunning: somebody else has it.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+")
        file.seek(0)
        earlier = file.read().strip()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise AlreadyRunning(
                f"Guildhall already runs on {self._path.parent} (process {earlier}). "
                "Stop it first, or give this one its own GUILDHALL_DATA_DIR and GUILDHALL_PORT."
            ) from None
        self.last_was_killed = bool(earlier)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say that the end was orderly, and let go."""
        assert self._file is not None  # entered
        self._file.truncate(0)
        self._file.close()


def is_running(data_dir: Path) -> bool:
    """Whether some ``guildhall up`` holds the lock of a data dir."""
    try:
        file = (data_dir / "up.lock").open("r+")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
