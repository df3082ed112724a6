"""Answering what a run's process asks: the model, and whether a picture is still the same."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from services.runs.artifacts.operations import Store, pieces_beneath
from services.runs.checks import operations as checks
from services.runs.checks.models import ScreenshotCheck
from services.runs.engine.host.models import Answer, Asked
from services.runs.engine.model import ModelFailed
from services.runs.engine.model.lines import Ask
from services.runs.engine.probes.pictures import Comparer
from services.runs.runs.models import RunRow
from shared.db import Database
from shared.errors import Invalid, NotFound, ServiceError, TooLarge
from shared.log import get_logger
from shared.principal import Kind, Principal

Compare = Callable[[RunRow, ScreenshotCheck], Awaitable[Mapping[str, Any]]]
"""Compares a picture with the baseline of its name, for the organization of a run."""

Finding = AbstractAsyncContextManager[Ask | None]
"""Gives who asks the model for a run, for as long as it is entered."""

LARGEST: Final = 10 * 1024 * 1024
"""Bytes of a picture."""

AT_ONCE: Final = 4
"""Questions of one run."""

NO_ANSWER: Final = "There is no answer."

log = get_logger()


def comparing(database: Database, files: Store, comparer: Comparer) -> Compare:
    """Make what compares pictures with the baselines of the surface's own checks."""

    async def compare(run: RunRow, check: ScreenshotCheck) -> Mapping[str, Any]:
        principal = Principal(Kind.USER, run.created_by, run.org_id, account=run.created_by)
        found = await checks.compare(database, files, comparer, principal, check)
        return {"passed": found.status == "passed", "observed": found.observed}

    return compare


class Answers:
    """Answers the questions of one run, some at once.

    Args:
        run: that asks.
        ask: puts questions to the model; None where there is none.
        compare: compares pictures.
        finding: finds who puts questions to the model instead of ``ask``, when the run begins.
    """

    def __init__(
        self,
        run: RunRow,
        ask: Ask | None,
        compare: Compare,
        finding: Callable[[], Finding] | None = None,
    ) -> None:
        self._run = run
        self._ask = ask
        self._compare = compare
        self._finding = finding
        self._stack = AsyncExitStack()
        self._turns = asyncio.Semaphore(AT_ONCE)

    @property
    def has_model(self) -> bool:
        """Whether there is a model."""
        return self._ask is not None

    @property
    def ask(self) -> Ask | None:
        """Who puts questions to the model; None where there is none."""
        return self._ask

    async def prepare(self) -> None:
        """Find out whether there is a model.

        Raises:
            Unavailable: the database is away.
        """
        if self._finding is not None:
            self._ask = await self._stack.enter_async_context(self._finding())

    async def close(self) -> None:
        """Let go of the model, once nothing more is asked."""
        await self._stack.aclose()

    async def answer(self, asked: Asked, folder: Path) -> Answer:
        """Answer, or say for people why there is no answer.

        Args:
            asked: the question.
            folder: the run's, in which pictures lie.
        """
        async with self._turns:
            try:
                return Answer(id=asked.id, answer=await self._answer(asked, folder))
            except ModelFailed as error:
                reason = error.reason
            except Invalid as error:
                reason = "; ".join(fault.msg for fault in error.faults) or error.message
            except ServiceError as error:
                reason = error.message
            except ValidationError:
                reason = "The question cannot be understood."
            except Exception:
                log.exception("question not answered", run_id=self._run.id)
                reason = NO_ANSWER
        return Answer(id=asked.id, error=reason or NO_ANSWER)

    async def _answer(self, asked: Asked, folder: Path) -> Mapping[str, Any]:
        if asked.kind == "screenshot":
            return await self._compared(asked.question, folder)
        if self._ask is None:
            raise ModelFailed("There is no model.")
        return await self._ask(asked.kind, asked.question)

    async def _compared(self, question: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
        picture = bytearray()
        try:
            async for piece in pieces_beneath(folder, str(question.get("source", ""))):
                picture += piece
                if len(picture) > LARGEST:
                    raise TooLarge("The picture is too large to be compared.")
        except NotFound:
            raise NotFound("The picture is not there.") from None
        check = ScreenshotCheck(
            name=question.get("name", ""),
            image_b64=base64.b64encode(picture).decode(),
            tol=question.get("tol"),
        )
        return await self._compare(self._run, check)
