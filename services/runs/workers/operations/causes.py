"""Looking for the causes of a run in hand, for as long as nobody ends that."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from services.runs.causes.models import Explained, Failed
from services.runs.causes.operations import Explainer
from services.runs.engine.model.lines import Ask
from services.runs.runs.models import Finished, Held, Status
from shared.log import get_logger

EXPLAINED: Final = (Status.FAILED, Status.BROKEN)
"""Ends of runs that have causes."""

log = get_logger()


class Causes:
    """The causes of one run.

    Args:
        explainer: finds them.

    Attributes:
        masked: what the run's process masked in its report; None if it has not said.
    """

    def __init__(self, explainer: Explainer) -> None:
        self.masked: tuple[str, ...] | None = None
        self._explainer = explainer
        self._looking: asyncio.Task[Explained] | None = None

    def end(self) -> None:
        """Look no further: the run ends as it is."""
        if self._looking is not None:
            self._looking.cancel()

    async def explain(
        self, held: Held, attempt: int, finished: Finished, ask: Ask | None
    ) -> tuple[Finished, tuple[str, ...]]:
        """Give how a run ended, with the causes in its report, and remarks for its events.

        Args:
            held: the run.
            attempt: of the run, from 1 on.
            finished: how it ended.
            ask: puts questions to the model; None where there is none.
        """
        if finished.report is None or finished.status not in EXPLAINED:
            return finished, ()
        failed = Failed(held.org_id, held.run_id, attempt, finished.report, self.masked)
        self._looking = asyncio.create_task(
            self._explainer.explain(failed, ask), name="causes of a run"
        )
        try:
            await asyncio.wait([self._looking])
        finally:
            self._looking.cancel()
        if self._looking.cancelled():
            return finished, ()
        if (error := self._looking.exception()) is not None:
            log.error("causes not found", run_id=held.run_id, exc_info=error)
            return finished, ()
        explained = self._looking.result()
        return replace(finished, report=explained.report), explained.remarks
