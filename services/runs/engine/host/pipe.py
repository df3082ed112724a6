"""The pipe to the worker: lines in, lines out, and the leash that it holds."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn
from uuid import uuid4

from services.runs.engine.checks.models import Undecidable
from services.runs.engine.host.models import (
    ALIVE_SECONDS,
    FROM_WORKER,
    LONGEST_LINE,
    Alive,
    Answer,
    Asked,
    Cancel,
    Errand,
    Job,
    Kept,
    Leash,
    Line,
    Reported,
    Said,
    Stored,
    Told,
    Wish,
)
from services.runs.engine.model import ModelFailed
from services.runs.engine.running.models import Cancelled

ANSWER_SECONDS: Final = 150.0
"""Longest wait for a model, whose own limit the worker keeps."""

JOB_SECONDS: Final = 30.0
"""Longest wait for the job."""

MOST_WISHES: Final = 1000
"""That wait to be heard; a worker that says more is not understood any more."""

WRITE_SECONDS: Final = 60.0
"""Longest wait for a worker that does not read."""


def end_everything() -> NoReturn:
    """End this process and all that it started, at once and without a word."""
    os.killpg(0, signal.SIGKILL)
    raise SystemExit(1)  # not reached


class Pipe:
    """The run's side of the pipe; the outlet of what happens in it.

    Args:
        reader: the worker's lines.
        writer: takes ours.
        scratch: set with the job; files are named relative to it.
        end: what to do when the worker is gone or the leash is over.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        end: Callable[[], object] = end_everything,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._end = end
        self._scratch = Path()
        self._deadline = float("inf")
        self._cancelled = asyncio.Event()
        self._questions: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._number = 0
        self._writing = asyncio.Lock()
        self._wishes: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue(MOST_WISHES)

    async def first(self) -> Job | Errand:
        """Read the first line.

        Raises:
            ValueError: it is neither.
            TimeoutError: there was none in time.
        """
        async with asyncio.timeout(JOB_SECONDS):
            line = await self._reader.readline()
        job = FROM_WORKER.validate_json(line)
        if not isinstance(job, Job | Errand):
            raise ValueError("the first line is no job")
        self._scratch = Path(job.scratch)
        self._deadline = job.leash
        return job

    async def listen(self) -> None:
        """Hear the worker until it is gone; then everything ends."""
        try:
            while line := await self._reader.readline():
                self._hear(line)
        except (OSError, ValueError):
            pass  # a line that is too long, or none: what it meant is unknown
        self._end()

    def _hear(self, line: bytes) -> None:
        match FROM_WORKER.validate_json(line):
            case Leash(until=until):
                self._deadline = until
            case Cancel():
                self._cancelled.set()
            case Answer(id=number, answer=answer, error=error):
                self._answered(number, answer, error)
            case Wish(content=content):
                try:
                    self._wishes.put_nowait(content)
                except asyncio.QueueFull:
                    raise ValueError("nobody hears the wishes") from None
            case Job() | Errand():
                raise ValueError("a second job")

    def _answered(self, number: int, answer: Mapping[str, Any] | None, error: str | None) -> None:
        future = self._questions.pop(number, None)
        if future is None or future.done():
            return
        if answer is None:
            future.set_exception(ModelFailed(error or "The model gave no answer."))
        else:
            future.set_result(answer)

    async def watch(self) -> None:
        """Give signs of life, and end everything when the leash is over."""
        while self.is_held:
            await self.say_line(Alive())
            await asyncio.sleep(min(ALIVE_SECONDS, max(0.0, self._remaining)))
        self._end()

    @property
    def _remaining(self) -> float:
        return self._deadline - time.monotonic()

    @property
    def is_held(self) -> bool:
        """Whether the worker said recently enough that the run is still its own."""
        return self._remaining > 0

    async def cancelled(self) -> None:
        """Wait until the run is to end."""
        await self._cancelled.wait()

    def check(self) -> None:
        """Ask before each action whether it may be done.

        Raises:
            Cancelled: the run is to end.
        """
        if not self.is_held:
            # Somebody else may hold the run by now; nothing of ours may happen any more.
            self._end()
        if self._cancelled.is_set():
            raise Cancelled

    async def say_line(self, line: Line) -> None:
        """Write a line; waits while the worker does not read.

        Raises:
            OSError: the worker is gone.
        """
        written = line.model_dump_json(exclude_none=True).encode() + b"\n"
        if len(written) > LONGEST_LINE:
            raise ValueError("a line is too long to be said")
        async with self._writing, asyncio.timeout(WRITE_SECONDS):
            self._writer.write(written)
            await self._writer.drain()

    async def wish(self) -> Mapping[str, Any]:
        """Wait for the next thing that is said to the errand, in its order."""
        return await self._wishes.get()

    async def tell(self, content: Mapping[str, Any], slot: str = "") -> None:
        """Tell who watches the errand; see ``Told``.

        Raises:
            ValueError: it is too long.
            OSError: the worker is gone.
        """
        await self.say_line(Told(content=content, slot=slot))

    async def say(self, event: Mapping[str, Any]) -> None:
        """Say an event."""
        await self.say_line(Said(event=event))

    async def store(self, path: str, source: Path) -> None:
        """Give a file of the scratch folder away, to be kept as ``path``."""
        await self.say_line(Stored(path=path, source=str(source.relative_to(self._scratch))))

    async def keep(
        self,
        case_id: str,
        entries: tuple[Mapping[str, Any], ...],
        heals: tuple[Mapping[str, Any], ...],
    ) -> None:
        """Give what a case that passed has taught."""
        await self.say_line(Kept(case_id=case_id, entries=entries, heals=heals))

    async def report(self, report: Mapping[str, Any]) -> None:
        """Give the report as far as it goes; one that grew too long waits for its end."""
        with suppress(ValueError):
            await self.say_line(Reported(report=report))

    async def ask(self, kind: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask the worker's model.

        Raises:
            ModelFailed: it gave no answer.
        """
        self._number += 1
        number = self._number
        future: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._questions[number] = future
        try:
            await self.say_line(
                Asked.model_validate({"id": number, "kind": kind, "question": question})
            )
            async with asyncio.timeout(ANSWER_SECONDS):
                return await future
        except TimeoutError:
            raise ModelFailed("The model did not answer in time.") from None
        finally:
            self._questions.pop(number, None)

    async def compare(self, name: str, picture: bytes, tol: float | None) -> tuple[bool, str]:
        """Compare a picture with the baseline of its name, or make it that (contract 3.9).

        Returns:
            Whether it is the same, and what was seen.

        Raises:
            Undecidable: nobody could look at it.
        """
        source = self._scratch / f"compared-{uuid4().hex}.png"
        source.write_bytes(picture)
        question = {"name": name, "source": source.name, "tol": tol}
        try:
            answer = await self.ask("screenshot", question)
        except ModelFailed as failed:
            raise Undecidable("no_baselines", failed.reason) from None
        finally:
            source.unlink(missing_ok=True)
        return bool(answer.get("passed")), str(answer.get("observed") or "")
