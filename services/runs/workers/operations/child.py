"""The process of one run, from the worker's side: its lines, its complaints, its end."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from services.runs.engine.host.models import FROM_RUN, LONGEST_LINE, FromRun, Line
from services.runs.workers import rules
from services.runs.workers.models import Claim, Place
from services.runs.workers.operations import processes
from shared.bus.tasks import cancel
from shared.log import get_logger

SAYING: Final = 10.0
"""Seconds that a run's process may take to read a line."""

LEAVING: Final = 5.0
"""Seconds that it gets to leave after its last line."""

VIGIL: Final = 0.1
"""Seconds between two looks whether it still lives."""

LONGEST_COMPLAINT: Final = 8192
MOST_COMPLAINTS: Final = 500

log = get_logger()


class Hung(Exception):
    """The run's process gave no sign of life."""


class Garbled(Exception):
    """It said what cannot be understood."""


class Child:
    """A run's process. Make it with ``start``, end it with ``end`` whatever happens.

    Attributes:
        claim: written down with its number.
        has_spoken: whether it has said anything yet.
    """

    def __init__(self, process: asyncio.subprocess.Process, claim: Claim) -> None:
        self.claim = claim
        self.has_spoken = False
        self._process = process
        self._saying = asyncio.Lock()
        self._log = log.bind(run_id=claim.run_id)
        self._complaints = asyncio.create_task(self._hear_complaints(), name="run stderr")
        self._vigil = asyncio.create_task(self._outlive(), name="run process")

    @classmethod
    async def start(cls, place: Place, scratch: Path, claim: Claim) -> Self:
        """Start it, in a session of its own and with nothing of ours in its environment.

        Raises:
            OSError: it cannot be started.
        """
        root = str(place.root)
        environment = rules.environment_of(str(scratch), claim.token, root, os.environ)
        process = await asyncio.create_subprocess_exec(
            *place.program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=root,
            env=environment,
            start_new_session=True,
            preexec_fn=processes.die_with_parent,
            limit=LONGEST_LINE,
        )
        started = processes.started_at(process.pid)
        return cls(process, claim.model_copy(update={"pid": process.pid, "started": started}))

    async def say(self, line: Line) -> None:
        """Say a line.

        Raises:
            Hung: it does not read.
            OSError: it is gone.
        """
        assert self._process.stdin is not None
        written = line.model_dump_json().encode() + b"\n"
        try:
            async with asyncio.timeout(SAYING), self._saying:
                if self._process.stdin.is_closing():
                    raise BrokenPipeError
                self._process.stdin.write(written)
                await self._process.stdin.drain()
        except TimeoutError:
            raise Hung from None

    async def lines(self, first_s: float, silence_s: float) -> AsyncIterator[FromRun]:
        """Give what it says, until it closes the pipe.

        Silence counts only while somebody listens: who is busy writing down hears nothing.

        Args:
            first_s: seconds until its first line.
            silence_s: seconds between two.

        Raises:
            Hung: it was silent for longer.
            Garbled: a line is too long, or none of those that are known.
        """
        assert self._process.stdout is not None
        while True:
            try:
                async with asyncio.timeout(silence_s if self.has_spoken else first_s):
                    line = await self._process.stdout.readline()
            except TimeoutError:
                raise Hung from None
            except ValueError:
                raise Garbled("a line is too long") from None
            if not line:
                return
            self.has_spoken = True
            try:
                yield FROM_RUN.validate_json(line)
            except ValueError:
                raise Garbled("a line was not understood") from None

    async def _outlive(self) -> None:
        """Once it has ended, end what it started: so that nobody holds its pipes any more."""
        while self._process.returncode is None:  # noqa: ASYNC110 - pipes held by others delay wait()
            await asyncio.sleep(VIGIL)
        await processes.end_all(self.claim.token, self.claim.pid, self.claim.started)

    async def end(self, *, leaves: bool = False) -> None:
        """End it, with all that it started.

        Args:
            leaves: it has said its last line, and may close its browser.
        """
        if leaves:
            with suppress(TimeoutError):
                async with asyncio.timeout(LEAVING):
                    await self._process.wait()
        await cancel(self._vigil)
        claim = self.claim
        left = await processes.end_all(claim.token, claim.pid, claim.started)
        if left:
            self._log.error("processes of a run would not die", processes=left)
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        # Whoever of its family held the pipe is dead, so it ends.
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVING):
                await self._complaints
        await cancel(self._complaints)

    async def _hear_complaints(self) -> None:
        """Log what it writes to standard error, some of it, and nothing that was typed."""
        stream, count = self._process.stderr, 0
        assert stream is not None
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                continue  # too long; what is left of it comes as further lines
            if not line:
                return
            count += 1
            if count <= MOST_COMPLAINTS:
                self._complain(line[:LONGEST_COMPLAINT].decode(errors="replace").rstrip())

    def _complain(self, line: str) -> None:
        said = _object(line)
        if said is None:
            # Before its first line it knows no secret.
            text = line if not self.has_spoken else rules.harmless(line)
            if text:
                self._log.warning("run's process", said=text)
            return
        level = self._log.error if said.get("level") in ("error", "critical") else self._log.info
        trace = rules.harmless(str(said.get("exception", "")))
        level("run's process", said=str(said.get("event", ""))[:200], trace=trace or None)


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
