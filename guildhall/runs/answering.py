"""Answering what a run's process asks without a server: the model, and baselines in a folder."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from guildhall.runs.models import Keeper
from services.runs.artifacts.operations import pieces_beneath
from services.runs.checks import rules
from services.runs.checks.models import TOLERANCE
from services.runs.engine.host.models import Answer, Asked
from services.runs.engine.model import ModelFailed
from services.runs.engine.model.lines import Ask
from services.runs.engine.probes.pictures import (
    LARGEST,
    Comparer,
    ComparingFailed,
    NotAPicture,
    read_size,
)
from shared.errors import NotFound

NO_ANSWER: Final = "There is no answer."
NOT_THERE: Final = "The picture is not there."
_AT_ONCE: Final = 4
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


class Baselines:
    """Pictures by name, each a PNG in a folder that may be kept in version control.

    Args:
        folder: made with its first picture.
        comparer: of the process.
        replaces: whether what differs becomes the baseline, because somebody wants it so.
    """

    def __init__(self, folder: Path, comparer: Comparer, *, replaces: bool = False) -> None:
        self._folder = folder
        self._comparer = comparer
        self._replaces = replaces

    def path_of(self, name: str) -> Path:
        """Give the file of a name; different names may look alike once plain."""
        return self._folder / f"{_stem(name)}.png"

    async def compare(
        self, name: str, picture: bytes, tol: float | None, keeper: Keeper
    ) -> tuple[bool, str]:
        """Compare a picture with the baseline of its name, or make it that if there is none.

        Returns:
            Whether it is the same, and what was seen. What differs is kept with the run, beside
            what differs in red.

        Raises:
            NotAPicture: it is none.
            ComparingFailed: there was no time.
            OSError: the baseline cannot be read or written.
        """
        size = read_size(picture)
        target = self.path_of(name)
        try:
            baseline = await asyncio.to_thread(target.read_bytes)
        except FileNotFoundError:
            await self._comparer.check(picture)
            if await asyncio.to_thread(_written_once, target, picture):
                return True, rules.SEEDED
            baseline = await asyncio.to_thread(target.read_bytes)
        tolerance = TOLERANCE if tol is None else tol
        old = read_size(baseline)
        compared = await self._comparer.compare(baseline, picture)
        sizes = ((old.width, old.height), (size.width, size.height))
        outcome = rules.outcome_of(compared, tolerance, *sizes)
        if outcome.status == "passed":
            return True, outcome.observed
        if self._replaces:
            await asyncio.to_thread(_replaced, target, picture)
            return True, f"The baseline was replaced. {outcome.observed}"
        stem = f"compared/{_stem(name)}"
        await keeper.put(f"{stem}.png", picture)
        if outcome.difference is not None:
            await keeper.put(f"{stem}.difference.png", outcome.difference)
        return False, outcome.observed


class Answers:
    """Answers the questions of one run.

    Args:
        ask: puts questions to the model; None where there is none.
        baselines: compares pictures.
        keeper: of the run's files.
    """

    def __init__(self, ask: Ask | None, baselines: Baselines, keeper: Keeper) -> None:
        self._ask = ask
        self._baselines = baselines
        self._keeper = keeper
        self._turns = asyncio.Semaphore(_AT_ONCE)

    @property
    def has_model(self) -> bool:
        """Whether there is a model."""
        return self._ask is not None

    async def answer(self, asked: Asked, scratch: Path) -> Answer:
        """Answer, or say for people why there is no answer; pictures lie in ``scratch``."""
        async with self._turns:
            try:
                return Answer(id=asked.id, answer=await self._answer(asked, scratch))
            except ModelFailed as error:
                reason = error.reason
            except NotAPicture as bad:
                reason = f"The picture {bad.reason}."
            except ComparingFailed:
                reason = "There was no time to look at the picture."
            except NotFound:
                reason = NOT_THERE
            except (OSError, ValueError):
                reason = "The baseline cannot be read or written."
        return Answer(id=asked.id, error=reason or NO_ANSWER)

    async def _answer(self, asked: Asked, scratch: Path) -> Mapping[str, Any]:
        if asked.kind == "screenshot":
            return await self._compared(asked.question, scratch)
        if self._ask is None:
            raise ModelFailed("There is no model.")
        return await self._ask(asked.kind, asked.question)

    async def _compared(self, question: Mapping[str, Any], scratch: Path) -> Mapping[str, Any]:
        picture = bytearray()
        async for piece in pieces_beneath(scratch, str(question.get("source", ""))):
            picture += piece
            if len(picture) > LARGEST:
                raise NotAPicture(f"has more than {LARGEST} bytes")
        name, tol = str(question.get("name") or ""), question.get("tol")
        passed, observed = await self._baselines.compare(
            name, bytes(picture), tol if isinstance(tol, int | float) else None, self._keeper
        )
        return {"passed": passed, "observed": observed}


def _stem(name: str) -> str:
    readable = _UNSAFE.sub("-", name).strip(".-")[:60]
    digest = sha256(name.encode(errors="replace")).hexdigest()[:8]
    return f"{readable}-{digest}" if readable else digest


def _written_once(target: Path, content: bytes) -> bool:
    """Write a file unless there is one already; tell whether it was written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=target.parent, prefix=".") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        try:
            os.link(file.name, target)
        except FileExistsError:
            return False
    return True


def _replaced(target: Path, content: bytes) -> None:
    with NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as file:
        file.write(content)
        os.fchmod(file.fileno(), 0o644)
    os.replace(file.name, target)
