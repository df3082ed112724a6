"""The report of a run (contract 8.3), which may be partial while the run goes on.

``as_json`` gives exactly the contract's keys. Keys marked optional below stand only where there is
something to say. Paths are relative to the run's folder among the artifacts; times are ISO-8601 in
UTC; durations are integer milliseconds. Every text is masked before it comes here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, ClassVar, Final, TypeAlias

from pydantic import Field

Json: TypeAlias = dict[str, Any]

FINAL: Final = frozenset({"passed", "failed", "broken", "cancelled", "interrupted"})
"""States of a run that has ended."""


class Part:
    """What every part of a report is: an object of JSON, with those keys that say something."""

    __slots__ = ()
    optional: ClassVar[frozenset[str]] = frozenset()

    def as_json(self) -> Json:
        """Give the contract's object."""
        plain: Json = {}
        for one in fields(self):  # type: ignore[arg-type]  # whoever derives is a dataclass
            value = _plain(getattr(self, one.name))
            if one.name not in self.optional or value not in (None, []):
                plain["assert" if one.name == "claim" else one.name] = value
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.as_json()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


@dataclass(frozen=True, slots=True)
class Summary(Part):
    """How many cases came to what; ``total`` counts those chosen, begun or not.

    ``flaky`` cases are counted under ``passed`` as well; ``healed`` counts heals, not cases.
    """

    total: int = 0
    passed: int = 0
    failed: int = 0
    broken: int = 0
    skipped: int = 0
    flaky: int = 0
    healed: int = 0


@dataclass(frozen=True, slots=True)
class Environment(Part):
    """Where a run took place; what is not known is None."""

    base_url: str | None = None
    browser: str | None = None
    headed: bool = False
    git_sha: str | None = None
    ci_url: str | None = None


@dataclass(frozen=True, slots=True)
class Touched(Part):
    """The element that an action was for; ``ref`` is the browser's own name of it."""

    role: str | None = None
    name: str | None = None
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class ActionReport(Part):
    """Something done to a page; also the fields of the event ``action``.

    Attributes:
        tool: ``read_dom``, ``goto``, ``click_element``, ``set_field``, ``press_key``,
            ``create_file``, ``upload_file`` or ``done``.
        target: the element, if it was one.
        value: what was typed, masked.
        text: what was done, in words.
        url: of the page.
        ok: whether it came off.
        ms: how long it took.
        source: what decided: ``cache``, ``rule`` or ``model``.
    """

    tool: str
    target: Touched | None = None
    value: str | None = None
    text: str | None = None
    url: str | None = None
    ok: bool = True
    ms: int = 0
    source: str = "rule"


@dataclass(frozen=True, slots=True)
class CandidateReport(Part):
    """An element that a step may have meant; ``where`` tells equal ones apart, in words."""

    role: str = ""
    name: str = ""
    score: float = 0.0
    where: str = ""


@dataclass(frozen=True, slots=True)
class StepReport(Part):
    """A step.

    Attributes:
        id: of the step.
        do: its text as it was carried out, masked.
        status: ``passed``, ``broken``, ``skipped`` (not reached) or ``running``.
        actions: what was done, in order.
        duration_ms: of all of it.
        error: why it could not be carried out, for people.
        candidates: optional; what it may have meant, best first.
    """

    optional: ClassVar[frozenset[str]] = frozenset({"candidates"})

    id: str
    do: str
    status: str = "passed"
    actions: tuple[ActionReport, ...] = ()
    duration_ms: int = 0
    error: str | None = None
    candidates: tuple[CandidateReport, ...] = ()


@dataclass(frozen=True, slots=True)
class AssertionReport(Part):
    """An expectation and what was seen.

    Attributes:
        id: of the expectation.
        claim: the author's English; None when there is only a check. ``assert`` on the wire.
        check: optional; what was judged, ``{"kind": …, …}``.
        verdict: ``passed``, ``failed``, ``broken`` (undecidable) or ``skipped``.
        expected, observed: for people.
        source: what decided: ``check``, ``rule`` or ``model``.
        confidence: optional; 0 to 1, of a model.
        suggested_check: optional; what the author may pin.
        warnings: optional; such as ``already_true``.
    """

    optional: ClassVar[frozenset[str]] = frozenset(
        {"check", "confidence", "suggested_check", "warnings"}
    )

    id: str
    claim: Annotated[str | None, Field(alias="assert")] = None
    check: Mapping[str, Any] | None = None
    verdict: str = "passed"
    expected: str | None = None
    observed: str | None = None
    source: str = "check"
    confidence: float | None = None
    suggested_check: Mapping[str, Any] | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shot(Part):
    """A screenshot; ``step_id`` (optional) is the step after which it was taken."""

    optional: ClassVar[frozenset[str]] = frozenset({"step_id"})

    label: str
    note: str
    path: str
    step_id: str | None = None


@dataclass(frozen=True, slots=True)
class Download(Part):
    """A file that the browser was given; ``name`` is the page's word, ``size`` in bytes."""

    name: str
    path: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class NetworkError(Part):
    """A request that failed: by its status, or (``status`` None) by ``error``, optional.

    ``trace_id`` is the one that we sent, or the answer's own where we sent none; ``request_id``
    (optional) is the answer's own where it has another.
    """

    optional: ClassVar[frozenset[str]] = frozenset({"error", "request_id"})

    method: str
    url: str
    status: int | None = None
    trace_id: str | None = None
    ts: str | None = None
    error: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class ConsoleError(Part):
    """What a page wrote as an error, or threw."""

    text: str
    url: str | None = None
    line: int | None = None
    ts: str | None = None


@dataclass(frozen=True, slots=True)
class RootCause(Part):
    """Why a case did not pass, as far as that can be told (contract 9).

    Attributes:
        category: ``backend_error``, ``client_error``, ``network``, ``auth``, ``validation``,
            ``js_error``, ``ui_missing``, ``timeout`` or ``data``.
        server_error: what the application's log says; None where nothing was found there.
        suspected_cause: a sentence.
        suggested_fix: a sentence.
        confidence: 0 to 1.
        evidence: lines that show it, five at most.
    """

    category: str
    server_error: str | None
    suspected_cause: str
    suggested_fix: str
    confidence: float
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IssueReport(Part):
    """The issue that a case was filed under; ``created``: it is new."""

    id: str
    fingerprint: str
    created: bool = False


@dataclass(frozen=True, slots=True)
class AttemptReport(Part):
    """How an earlier attempt at a case ended (contract 7.3)."""

    attempt: int
    verdict: str
    reason: str | None = None
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class CaseReport(Part):
    """A case; what it holds is of its last attempt.

    Attributes:
        id, title, tags: the author's.
        verdict: ``passed``, ``failed``, ``broken`` or ``skipped``; None while it goes on.
        flaky: it passed only when tried again.
        attempt: the last one, from 1 on.
        reason: why it did not pass: a machine word (``ambiguous``, ``needs_model``…) or, after a
            colon, words for people.
        steps, assertions, captures, shots, network_errors, console_errors: what was seen.
        root_cause: optional (contract 9).
        issue: optional.
        heals: ids of heal records.
        attempts: optional; the earlier ones, when it was tried again.
        warnings: optional; for people.
        trace: optional; path of a Playwright trace.
        downloads: optional.
    """

    optional: ClassVar[frozenset[str]] = frozenset(
        {"root_cause", "issue", "attempts", "warnings", "trace", "downloads"}
    )

    id: str
    title: str
    tags: tuple[str, ...] = ()
    verdict: str | None = None
    flaky: bool = False
    attempt: int = 1
    reason: str | None = None
    duration_ms: int = 0
    steps: tuple[StepReport, ...] = ()
    assertions: tuple[AssertionReport, ...] = ()
    captures: Mapping[str, str] = field(default_factory=dict)
    shots: tuple[Shot, ...] = ()
    network_errors: tuple[NetworkError, ...] = ()
    console_errors: tuple[ConsoleError, ...] = ()
    root_cause: RootCause | None = None
    issue: IssueReport | None = None
    heals: tuple[str, ...] = ()
    attempts: tuple[AttemptReport, ...] = ()
    warnings: tuple[str, ...] = ()
    trace: str | None = None
    downloads: tuple[Download, ...] = ()


@dataclass(frozen=True, slots=True)
class Report(Part):
    """A run. ``file`` is the suite's file name, ``suite`` its name, ``suite_id`` its own id.

    Attributes:
        status: of the run; ``running`` while it goes on.
        started_at, finished_at: None while not known.
        issues_filed: ``{provider, key, url, …}`` each.
    """

    run_id: str
    suite: str
    suite_id: str
    file: str
    status: str = "running"
    started_at: str | None = None
    finished_at: str | None = None
    duration_ms: int = 0
    summary: Summary = Summary()
    env: Environment = Environment()
    cases: tuple[CaseReport, ...] = ()
    issues_filed: tuple[Mapping[str, Any], ...] = ()
