"""Ending a browser that does not end when it is asked to."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def kill(home: Path) -> None:
    """Kill all processes of the browser that was started with this home; blocks a moment.

    Where the kernel does not show processes, nothing is done.
    """
    mark = b"\0HOME=" + os.fsencode(home) + b"\0"
    with suppress(OSError):
        there = [int(name) for name in os.listdir(_PROC) if name.isdecimal()]
        # Some of them write their title over their environment; the session is the browser's own.
        sessions = {_session(pid) for pid in there if _bears(pid, mark)} - {0, os.getsid(0)}
        for pid in there:
            if _session(pid) in sessions:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0  # gone


def _bears(pid: int, mark: bytes) -> bool:
    try:
        return mark in b"\0" + (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False  # gone, or somebody else's
