"""What a killed run may have left behind, and how a new start clears it.

After SIGKILL of everything there is at least a stale ``postmaster.pid``; the postmaster may still
run, or only some of its backends. They are recognised by the cluster's name, which PostgreSQL
shows in the title of each of its processes: that can be read without rights on the process,
unlike its working directory.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Final

import psutil

_PATIENCE: Final = 10.0
"""Seconds a server gets for each way of being asked to end."""

_POLL: Final = 0.02


def running(cluster_name: str) -> list[psutil.Process]:
    """List the live processes of a cluster, postmaster and backends."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        if process.info["status"] == psutil.STATUS_ZOMBIE or not command:
            continue
        is_postgres = command[0].startswith("postgres:") or Path(command[0]).name == "postgres"
        if is_postgres and any(cluster_name in argument for argument in command):
            found.append(process)
    return found


def postmaster(data: Path, cluster_name: str) -> psutil.Process | None:
    """Give the postmaster of the cluster, if it runs."""
    pid = _recorded_pid(data)
    return next((found for found in running(cluster_name) if found.pid == pid), None)


def clear(data: Path, cluster_name: str) -> None:
    """End what still runs of an earlier start, and disarm a stale pid file."""
    if master := postmaster(data, cluster_name):
        end(master)
    for process in running(cluster_name):
        # Without a postmaster a backend serves nobody and holds the shared memory.
        _signal(process, signal.SIGKILL)
    for process in running(cluster_name):
        _ended(process)
    _disarm(data)


def end(master: psutil.Process) -> None:
    """Stop a postmaster: fast, then at once, then by force."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        _signal(master, number)
        if _ended(master):
            return


def _ended(process: psutil.Process) -> bool:
    """Wait for the end of a process; whether it came in time."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            # In a container nobody may reap it; a zombie holds nothing any more.
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(_POLL)
    return False


def _disarm(data: Path) -> None:
    """Keep a recycled process number from looking like a running postmaster.

    PostgreSQL refuses to start while the number in its pid file belongs to a live process of the
    same user. It makes an exception for its parent, which we are about to become: so our number
    takes the place of the old one. The other lines stay, because PostgreSQL uses them to find
    out whether the old shared memory is still in use.
    """
    path = data / "postmaster.pid"
    if _recorded_pid(data) is None:
        path.unlink(missing_ok=True)  # killed while writing it; PostgreSQL stops at an empty one
        return
    lines = path.read_text().splitlines()
    lines[0] = str(os.getpid())
    with path.open("r+") as file:  # in place, to keep owner and mode
        file.write("\n".join(lines) + "\n")
        file.truncate()


def _recorded_pid(data: Path) -> int | None:
    try:
        first = (data / "postmaster.pid").read_text().partition("\n")[0]
    except FileNotFoundError:
        return None
    return int(first) if first.strip().isdigit() else None


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
