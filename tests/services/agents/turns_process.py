"""Processes of the agents service that begin at once, because they are born with all its code.

Reads lines ``ours|slow work|serve PORT`` and answers each with the number of a new process. Those
of kind ``slow`` have a provider that answers messages which begin with ``slow`` only while there is
a file ``gate`` in the folder ``GUILDHALL_TEST_FOLDER``. All end with the input.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.agents.app import SERVICE
from services.agents.providers.models import Answered, Question, Usage
from services.agents.providers.operations import Providers
from services.agents.turns.operations import worker
from shared.bus import Transport
from shared.db import Database
from shared.service import Resources, main


class Slow:
    """Answers after a moment, or when there is the file."""

    def __init__(self, folder: Path) -> None:
        self._gate = folder / "gate"

    async def complete(self, question: Question) -> Answered:
        while question.message.startswith("slow") and not self._gate.exists():
            await asyncio.sleep(0.01)
        await asyncio.sleep(random.uniform(0, 0.03))
        return Answered(f"{os.getpid()}: {question.message}", Usage(), {})


@asynccontextmanager
async def open_resources(
    settings: Any, database: Database, transport: Transport
) -> AsyncIterator[Resources]:
    async with SERVICE.open_resources(settings, database, transport) as resources:
        yield {**resources, Providers: Slow(Path(os.environ["GUILDHALL_TEST_FOLDER"]))}


def bear(kind: str, word: str, port: str) -> int:
    """Start a process, and give its number."""
    child = os.fork()
    if child:
        return child
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    sys.stdin.close()
    os.environ["GUILDHALL_PORT"] = port
    if kind == "slow":
        worker.GRACE = 0.5  # type: ignore[misc]
        main(replace(SERVICE, open_resources=open_resources), [word])
    else:
        main(SERVICE, [word])
    os._exit(0)


def nurse() -> None:
    """Bear processes until the input ends, and let none live longer."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that nothing is left of the dead
    born = []
    for line in iter(sys.stdin.readline, ""):
        born.append(bear(*line.split()))
        sys.stdout.write(f"{born[-1]}\n")
        sys.stdout.flush()
    for each in born:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


if __name__ == "__main__":
    nurse()
