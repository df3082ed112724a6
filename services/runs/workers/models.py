"""What a worker has in hand, and where it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict


class Keeper(Protocol):
    """Where a run's files are kept."""

    async def put(
        self, org_id: str, run_id: str, path: str, source: bytes | AsyncIterator[bytes]
    ) -> object:
        """Keep a file of a run under a path."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one worker does, and how long it waits.

    Attributes:
        runs: at once.
        lease_s: seconds after which a worker that says nothing more has lost its runs.
        silence_s: without a line from a run's process, after which it counts as hung.
        start_s: likewise, before its first line.
        cancel_s: that a run gets to end when somebody wants it to.
        grace_s: that runs get when the worker is to stop.
        run_s: for a whole run; its process keeps it, the worker makes sure.
        requeues: whether interrupted runs are tried once more.
    """

    runs: int = 2
    lease_s: float = 15.0
    silence_s: float = 10.0
    start_s: float = 30.0
    cancel_s: float = 7.0
    grace_s: float = 8.0
    run_s: float = 3600.0
    requeues: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker works.

    Attributes:
        program: what is started for a run.
        folder: where workers have their folders.
        root: from where the program is started.
    """

    program: tuple[str, ...]
    folder: Path
    root: Path


class Claim(BaseModel):
    """What is written down beside a run's scratch folder, for whoever finds it without a worker.

    Attributes:
        org_id, run_id, worker, fence: of the claim.
        token: stands in the environment of every process of the run.
        pid: of the run's process; 0 before there is one.
        started: of that process, in the kernel's ticks.
    """

    model_config = ConfigDict(frozen=True)

    org_id: str
    run_id: str
    worker: str
    fence: int
    token: str
    pid: int = 0
    started: int = 0


@dataclass(frozen=True, slots=True)
class Process:
    """A process, as the kernel shows it.

    Attributes:
        started: in ticks since the machine's start; with the number it names a process for ever.
    """

    pid: int
    parent: int
    session: int
    started: int
    is_dead: bool
