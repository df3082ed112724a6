"""The processes of a run: finding all of them, and ending them for certain.

The browser has a session and a group of its own, so ending the group of the run's process does not
reach it. Where the kernel shows processes (Linux), they are found by a token in their environment,
by their parents and by their sessions, until none is left.
"""

from __future__ import annotations

import asyncio
import ctypes
import glob
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from services.runs.workers import rules
from services.runs.workers.models import Process

PROC: Final = Path("/proc")
HAS_PROC: Final = sys.platform == "linux" and (PROC / "self/stat").exists()

ENDING: Final = 5.0
"""Seconds after which processes that will not die are given up, and said so."""

PAUSE: Final = 0.02
_PR_SET_PDEATHSIG: Final = 1


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


_LIBC: Final = _libc()


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies; called between fork and exec."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def started_at(pid: int) -> int:
    """Give when a process was started, in ticks; 0 if it is gone or nobody can tell."""
    process = _read(pid)
    return 0 if process is None else process.started


def _read(pid: int) -> Process | None:
    try:
        return rules.read_process(pid, (PROC / str(pid) / "stat").read_text(errors="replace"))
    except OSError:
        return None


def _all() -> list[Process]:
    if not HAS_PROC:
        return []
    found = (_read(int(name)) for name in os.listdir(PROC) if name.isdecimal())
    return [process for process in found if process is not None]


def living() -> list[Process]:
    """Give all processes that are not dead yet."""
    return [each for each in _all() if not each.is_dead]


def _bears(pid: int, mark: bytes) -> bool:
    try:
        return mark in (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False  # gone, or somebody else's


def family(token: str, pid: int, started: int, sessions: set[int]) -> list[Process]:
    """Find the living processes of a run.

    Args:
        token: in their environment.
        pid: of the run's own process; 0 if it is not known.
        started: when that was, so that no stranger with its number is taken for it.
        sessions: those that its processes were seen in a moment ago; what is seen now is added.
    """
    mark = f"{rules.MARK}={token}\0".encode()
    own = os.getsid(0)
    there = {
        each.pid: each
        for each in living()
        if each.pid not in (1, os.getpid()) and each.session != own
    }
    found = {
        each.pid
        for each in there.values()
        if (each.pid == pid and each.started == started)
        or each.session in sessions
        or _bears(each.pid, mark)
    }
    while True:
        theirs = {there[each].session for each in found}
        more = {
            each.pid
            for each in there.values()
            if each.pid not in found and (each.parent in found or each.session in theirs)
        }
        if not more:
            break
        found |= more
    sessions.update(there[each].session for each in found)
    return [there[each] for each in found]


def end_family(token: str, pid: int, started: int) -> int:
    """Kill the processes of a run until none is left; blocks. Gives how many would not die."""
    sessions: set[int] = set()
    deadline = time.monotonic() + ENDING
    while left := family(token, pid, started, sessions):
        for process in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return len(left)
        time.sleep(PAUSE)
    _reap()
    return 0


def _forget_links(token: str) -> None:
    """Remove what a browser's short path leads through, which a killed run leaves behind."""
    for place in {tempfile.gettempdir(), "/tmp"}:  # noqa: S108 - where Chromium's sockets fit
        for link in Path(place).glob(f"guildhall-{glob.escape(token[:8])}-*"):
            shutil.rmtree(link, ignore_errors=True)


def _reap() -> None:
    """Take leave of dead processes that became ours because we are the container's first."""
    if os.getpid() != 1:
        return
    for process in _all():
        if process.is_dead and process.parent == 1:
            with suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)


async def end_all(token: str, pid: int, started: int) -> int:
    """Kill the processes of a run without holding up others; give how many would not die."""
    if not HAS_PROC:
        if pid > 0:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        return 0
    ended = await asyncio.to_thread(end_family, token, pid, started)
    await asyncio.to_thread(_forget_links, token)
    return ended
