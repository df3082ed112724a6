"""Saying why cases did not pass, where no server does: from the browser and from logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from guildhall.runs.models import Keeper, Outcome, Runner, SuiteFile, Tell
from services.runs.causes.models import Failed
from services.runs.causes.operations import Explainer
from services.runs.engine.model.lines import Ask

EXPLAINED: Final = frozenset({"failed", "broken"})
"""Ends of runs that have causes."""


@dataclass(frozen=True, slots=True)
class Explaining:
    """Executes suites as another does, and explains what did not pass; a ``Runner``.

    Attributes:
        runner: executes them.
        explainer: finds causes.
        asking: makes, for one run, who asks the model; None where there is none.
    """

    runner: Runner
    explainer: Explainer
    asking: Callable[[], Ask] | None = None

    async def run(self, suite: SuiteFile, tell: Tell, keeper: Keeper) -> Outcome:
        """See ``Runner``; what is not found out is told, and changes no verdict."""
        outcome = await self.runner.run(suite, tell, keeper)
        if outcome.status not in EXPLAINED:
            return outcome
        run_id = str(outcome.report.get("run_id") or "")
        failed = Failed("", run_id, 1, outcome.report, outcome.secrets)
        ask = self.asking() if self.asking is not None else None
        explained = await self.explainer.explain(failed, ask)
        for remark in explained.remarks:
            tell({"kind": "log", "message": remark})
        return replace(outcome, report=explained.report)
