"""What everything in one run shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.runs.engine.actions.models import Scene
from services.runs.engine.browser.browsers import Browsers
from services.runs.engine.browser.stage import Stage
from services.runs.engine.checks.outside import Baselines
from services.runs.engine.evidence.masking import Masker
from services.runs.engine.evidence.tracing import traceparent_of
from services.runs.engine.grammar import Variables
from services.runs.engine.grammar.models import Case, Suite
from services.runs.engine.healing.memory import Known
from services.runs.engine.model import Model, origin_of
from services.runs.engine.running.models import Assignment, Outlet
from shared.targets import TargetPolicy


@dataclass(slots=True, kw_only=True)
class Play:
    """A run while it goes on.

    Attributes:
        assignment: what is to be run.
        suite: as it was read.
        base_url: with its variables filled in.
        fixtures: made once.
        browsers: make stages.
        policy: which addresses may be reached.
        outlet: where everything goes.
        masker: knows every secret so far.
        known: the resolution cache.
        model: for what no rule can read, where there is one.
        baselines: compares pictures with earlier ones, where they are kept.
        deadline: of the whole run, by the loop's clock.
        captures: what cases found for later ones.
        secrets: every value that pictures must not show.
    """

    assignment: Assignment
    suite: Suite
    base_url: str
    fixtures: Mapping[str, str]
    browsers: Browsers
    policy: TargetPolicy
    outlet: Outlet
    masker: Masker
    known: Known
    model: Model | None
    baselines: Baselines | None
    deadline: float
    captures: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, None] = field(default_factory=dict)

    def variables(self, case: Case) -> Variables:
        """Give what ``${name}`` means in a case."""
        return variables_of(
            self.suite, self.assignment, self.fixtures, captures=self.captures, row=case.row
        )

    def scene(self, case: Case) -> Scene:
        """Give the scene of a case."""
        origin = origin_of(self.base_url)
        return Scene(
            variables=self.variables(case),
            base_url=self.base_url,
            origins=frozenset() if origin is None else frozenset({origin}),
            scratch=self.assignment.scratch,
            timeout=case.timeout_ms / 1000,
            check=self.outlet.check,
            policy=self.policy,
        )

    def hide(self, stage: Stage, value: str) -> None:
        """Have a value shown nowhere from now on."""
        self.masker.add(value)
        self.secrets[value] = None
        stage.keep_secret(value)

    def traceparent(self, case_id: str, attempt: int) -> str:
        """Give the W3C trace context of an attempt, the same whenever it is asked for."""
        run = self.assignment
        return traceparent_of(run.run_id, run.attempt, case_id, attempt)


def variables_of(
    suite: Suite,
    assignment: Assignment,
    fixtures: Mapping[str, str],
    *,
    captures: Mapping[str, str] | None = None,
    row: Mapping[str, str] | None = None,
) -> Variables:
    """Give what ``${name}`` means in a suite."""
    return Variables(
        captures={} if captures is None else captures,
        fixtures=fixtures,
        env=suite.env,
        row=row or {},
        given=assignment.variables,
        environment=assignment.environment,
        generators={name: one.kind for name, one in suite.fixtures.items()},
    )
