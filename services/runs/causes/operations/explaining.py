"""Explaining a run that did not pass: best effort, within a fixed time, never its verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Final

from services.runs.causes import rules
from services.runs.causes.models import (
    Backend,
    Explained,
    Failed,
    LogFile,
    LogLine,
    NoLines,
    Question,
    SeenCase,
)
from services.runs.causes.operations import asking, files
from services.runs.engine.evidence import Masker
from services.runs.engine.evidence.models import RootCause
from services.runs.engine.evidence.tracing import trace_id_of
from services.runs.engine.model import ModelFailed
from services.runs.engine.model.lines import Ask, read_explanation
from shared.errors import ServiceError
from shared.fetch import Fetcher
from shared.log import get_logger

ASKING: Final = 12.0
"""Seconds for the logs of one run."""

WHOLE: Final = 20.0
"""Seconds for everything, a model's answers included."""

LATE: Final = 3.0
"""Seconds after which a log service that knew nothing is asked once more: lines travel."""

MOST_QUESTIONS: Final = 24
"""Of one run."""

AT_ONCE: Final = 4
"""Questions under way."""

MOST_FOR_A_MODEL: Final = 5
"""Causes of one run that a model is asked about."""

TOO_LATE: Final = "The logs were not read in time."

Values = Callable[[str], Awaitable[Mapping[str, str]]]
"""Gives what holds for an organization, in plain text (contract 3.7)."""

log = get_logger()

_Lines = dict[str, list[LogLine]]


class Explainer:
    """Finds causes of failures.

    Args:
        fetcher: reaches only what may be reached.
        values: what holds for an organization.
        environment: what the installation says, by the same keys.
        late_s: seconds after which a service that knew nothing is asked once more.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        values: Values,
        environment: Mapping[str, str],
        *,
        late_s: float = LATE,
    ) -> None:
        self._fetcher = fetcher
        self._values = values
        self._environment = environment
        self._late_s = late_s

    async def explain(self, failed: Failed, ask: Ask | None = None) -> Explained:
        """Give the run's report with a ``root_cause`` in each case that did not pass.

        Whatever goes wrong on the way, the browser's own evidence is left to go by.

        Args:
            failed: the run.
            ask: puts questions to the model; None where there is none.
        """
        cases = await asyncio.to_thread(rules.cases_of, failed.report)
        if not cases:
            return Explained(failed.report)
        deadline = asyncio.get_running_loop().time() + WHOLE
        masker = Masker(failed.secrets or ())
        base_url = rules.base_url_of(failed.report)
        raw, remarks = await self._read_logs(failed, cases, masker)

        def judged() -> tuple[dict[str, RootCause], _Lines]:
            lines = {key: rules.cleaned(each, masker.mask) for key, each in raw.items()}
            found = {one.id: rules.cause_of(one, base_url, lines.get(one.id, ())) for one in cases}
            return found, lines

        causes, lines = await asyncio.to_thread(judged)
        if ask is not None:
            causes |= await _worded(ask, cases, causes, base_url, lines, masker.mask, deadline)
        return Explained(rules.with_found(failed.report, causes), remarks)

    async def _read_logs(
        self, failed: Failed, cases: Sequence[SeenCase], masker: Masker
    ) -> tuple[_Lines, tuple[str, ...]]:
        """Give log lines by the id of a case, not masked yet, and why there are no more."""
        raw: _Lines = {}
        try:
            values = await self._values(failed.org_id)
            for secret in _secrets_of(values):
                masker.add(secret)
            await self._gather(failed, cases, values, raw)
        except NoLines as error:
            return raw, (error.reason,)
        except TimeoutError:
            return raw, (TOO_LATE,)
        except ServiceError as error:
            log.info("logs not asked", run_id=failed.run_id, reason=error.code)
        return raw, ()

    async def _gather(
        self, failed: Failed, cases: Sequence[SeenCase], values: Mapping[str, str], found: _Lines
    ) -> None:
        """Put into ``found`` what logs say, by the id of a case; what came in time stays."""
        backend = rules.backend_of(values, self._environment)
        if backend is None or failed.secrets is None:
            return  # by what is not known, a log's lines cannot be masked
        questions = await asyncio.to_thread(
            _questions,
            failed,
            cases,
            time.time(),
            # A server may give any answer an id: also that of somebody else's request.
            only_own=rules.is_installations(values, self._environment),
        )
        async with asyncio.timeout(ASKING):
            await self._ask(backend, questions, found)
            unknown = [each for each in questions if each[0] not in found]
            if unknown and not isinstance(backend, LogFile):
                await asyncio.sleep(self._late_s)
                await self._ask(backend, unknown, found)

    async def _ask(
        self, backend: Backend, questions: Sequence[tuple[str, Question]], found: _Lines
    ) -> None:
        if isinstance(backend, LogFile):
            asked = tuple(question for _, question in questions)
            answers = await asyncio.to_thread(files.lines_of, backend, asked)
            for (case_id, _), lines in zip(questions, answers, strict=True):
                _add(found, case_id, lines)
            return
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(case_id: str, question: Question) -> None:
            async with turns:
                _add(found, case_id, await asking.lines_of(self._fetcher, backend, question))

        try:
            async with asyncio.TaskGroup() as tasks:
                for case_id, question in questions:
                    tasks.create_task(one(case_id, question), name="log lines")
        except* NoLines as group:
            # Whoever cannot answer one question cannot answer the others.
            raise NoLines(_first(group).reason) from None


def _first(group: BaseExceptionGroup[NoLines]) -> NoLines:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _add(found: _Lines, case_id: str, lines: Sequence[LogLine]) -> None:
    if lines:
        known = found.setdefault(case_id, [])
        known += [line for line in lines if line not in known]


def _questions(
    failed: Failed, cases: Sequence[SeenCase], now: float, *, only_own: bool
) -> list[tuple[str, Question]]:
    """Give what is asked, each with its case; the first of every case goes first."""
    base_url = rules.base_url_of(failed.report)
    each = [
        [
            (case.id, question)
            for question in rules.questions_of(
                case,
                trace_id_of(failed.run_id, failed.attempt, case.id, case.attempt),
                base_url,
                now,
                only_own=only_own,
            )
        ]
        for case in cases
    ]
    longest = max(map(len, each), default=0)
    turns = [one[turn] for turn in range(longest) for one in each if turn < len(one)]
    return turns[:MOST_QUESTIONS]


def _secrets_of(values: Mapping[str, str]) -> list[str]:
    """Give what a log service might repeat of what it was told."""
    return [value for name, value in values.items() if name.endswith(("_KEY", "_TOKEN"))]


async def _worded(
    ask: Ask,
    cases: Sequence[SeenCase],
    causes: Mapping[str, RootCause],
    base_url: str,
    lines: Mapping[str, Sequence[LogLine]],
    mask: Callable[[str], str],
    deadline: float,
) -> dict[str, RootCause]:
    """Let a model word causes: category, confidence and evidence stay the rules'."""
    groups: dict[tuple[str, str, str | None], list[SeenCase]] = {}
    for case in cases:
        cause = causes[case.id]
        key = (cause.category, cause.suspected_cause, cause.server_error)
        groups.setdefault(key, []).append(case)
    found: dict[str, RootCause] = {}

    async def word(alike: Sequence[SeenCase]) -> None:
        first = alike[0]
        question = rules.question_of(first, causes[first.id], base_url, lines.get(first.id, ()))
        try:
            said = read_explanation(await ask("cause", asdict(question)))
        except ModelFailed as failed:
            log.info("no cause from the model", reason=failed.reason)
            return
        for case in alike:
            found[case.id] = replace(
                causes[case.id],
                suspected_cause=mask(said.suspected_cause),
                suggested_fix=mask(said.suggested_fix),
            )

    try:
        async with asyncio.timeout_at(deadline), asyncio.TaskGroup() as tasks:
            for alike in list(groups.values())[:MOST_FOR_A_MODEL]:
                tasks.create_task(word(alike), name="cause")
    except TimeoutError:
        log.info("no cause from the model", reason="took too long")
    return found
