"""Other programs as processes: started, waited for, measured, and ended with their context."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import psutil

START_TIMEOUT: Final = 30.0
WORDS: Final = 1_000
"""Characters that are shown of what a program said last."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """Processor time in seconds."""

    user: float = 0.0
    system: float = 0.0

    @property
    def total(self) -> float:
        """User and system time together."""
        return self.user + self.system

    def __sub__(self, other: Cpu) -> Cpu:
        return Cpu(self.user - other.user, self.system - other.system)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def child(
    command: Sequence[str],
    port: int,
    environment: Mapping[str, str] | None = None,
    *,
    is_quiet: bool = False,
) -> Iterator[psutil.Process]:
    """Run a server until the context ends; enters when it listens.

    Args:
        command: program and arguments.
        port: of 127.0.0.1, which it opens when it is ready.
        environment: of the process; this one's if absent.
        is_quiet: whether it says nothing as long as all is well; what it says is then shown.

    Raises:
        RuntimeError: it ended, or did not listen in time; with what it wrote last.
    """
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603
            command, env=environment, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            deadline = time.monotonic() + START_TIMEOUT
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} did not start: {_words(said)}")
                time.sleep(0.05)
            yield psutil.Process(process.pid)
        finally:
            _end(process)
            if is_quiet and (words := _words(said)):
                sys.stderr.write(f"*** {' '.join(command[-2:])} said: {words} ***\n")


def _words(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read().decode(errors="replace").strip()[-WORDS:]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def family(pid: int) -> list[psutil.Process]:
    """List a process and all that it started."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def cpu(pid: int) -> Cpu:
    """Read the processor time that a process and its children have used."""
    user = system = 0.0
    for one in family(pid):
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            user, system = user + times.user, system + times.system
    return Cpu(user, system)


def resident(pid: int) -> int:
    """Read the resident memory of a process and its children, in bytes."""
    total = 0
    for one in family(pid):
        with suppress(psutil.NoSuchProcess):
            total += int(one.memory_info().rss)
    return total


def reset_peak(pid: int) -> None:
    """Forget how much memory a process and its children have held at most (Linux)."""
    for one in family(pid):
        with suppress(OSError):
            Path(f"/proc/{one.pid}/clear_refs").write_text("5")


def peak(pid: int) -> int:
    """Read how much memory a process and its children have held at most, in bytes.

    Where the system does not tell, what they hold now.
    """
    total = 0
    for one in family(pid):
        try:
            status = Path(f"/proc/{one.pid}/status").read_text()
        except OSError:
            return resident(pid)
        found = re.search(r"VmHWM:\s*(\d+) kB", status)
        total += int(found[1]) * 1024 if found else 0
    return total


def first_version(*command: str, pattern: str = r"\d+(?:\.\d+)+") -> str:
    """Ask a program for its version and give the first match of a pattern, or nothing."""
    with suppress(OSError, subprocess.TimeoutExpired):
        said = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=30, check=False
        )
        found = re.search(pattern, said.stdout + said.stderr)
        return found[0] if found else ""
    return ""
