"""Which cases of a report are filed, and as what (contract 7.3 and 11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from services.runs.issues.models import (
    LONGEST_TITLE,
    Finding,
    SeenAssertion,
    SeenCase,
    SeenRequest,
    SeenStep,
    Severity,
)
from services.runs.issues.rules import signatures, writing
from shared.log import get_logger

MOST: Final = 1_000
"""Findings of one run; a suite has no more cases."""

LONGEST_ID: Final = 210
"""Characters of a case's id: what a suite allows, and the row of its data."""

NOT_THE_APPLICATION: Final = frozenset(
    {
        "needs_model",
        "model_failed",
        "unknown_name",
        "url_not_allowed",
        "not_supported",
        "refused",
        "interrupted",
        "browser_missing",
    }
)
"""Why a case can be broken without anything being wrong with the application it tests."""

_LONGEST_CAUSE: Final = 4_000

log = get_logger()


def findings_of(report: Mapping[str, Any], run_id: str) -> list[Finding]:
    """Read the findings out of a report: one of each case that failed, or broke on what it met.

    A flaky case passed in the end. A case is left out where no step and no expectation is to blame,
    such as one that was not reached.
    """
    suite_id = writing.clean(report.get("suite_id"))
    environment = report.get("env")
    base_url = environment.get("base_url") if isinstance(environment, Mapping) else None
    found: dict[str, Finding] = {}
    for plain in list(report.get("cases") or ())[:MOST]:
        case = _read(plain)
        if case is None or case.id in found or not _is_filed(case):
            continue
        culprit = culprit_of(case)
        if culprit is not None:
            request = signatures.worst_request(case.network_errors, str(base_url or ""))
            found[case.id] = _finding(suite_id, run_id, case, culprit, request)
    return list(found.values())


def _read(plain: object) -> SeenCase | None:
    try:
        case = SeenCase.model_validate(writing.cleaned(plain))
    except ValidationError as error:
        log.warning("case not filed", faults=error.error_count())
        return None
    return case if 0 < len(case.id) <= LONGEST_ID else None


def _is_filed(case: SeenCase) -> bool:
    if case.flaky or case.verdict not in ("failed", "broken"):
        return False
    word = (case.reason or "").partition(":")[0].strip()
    return case.verdict == "failed" or word not in NOT_THE_APPLICATION


def culprit_of(case: SeenCase) -> SeenStep | SeenAssertion | None:
    """Give the step or expectation that decided a case's verdict: the first of them."""
    for step in case.steps:
        if step.status == "broken":
            return step
    for assertion in case.assertions:
        if assertion.verdict == case.verdict:
            return assertion
    return None


def severity_of(tags: Sequence[str]) -> Severity:
    """Give the severity that a case's tags ask for."""
    if "p0" in tags:
        return "critical"
    if "p1" in tags:
        return "high"
    return "low" if "flaky" in tags else "medium"


def _finding(
    suite_id: str,
    run_id: str,
    case: SeenCase,
    culprit: SeenStep | SeenAssertion,
    request: SeenRequest | None,
) -> Finding:
    signature = signatures.signature_of(culprit, request)
    cause = (case.root_cause or {}).get("suspected_cause")
    title = f"{case.title or case.id}: {writing.summary(culprit)}"
    return Finding(
        case_id=case.id,
        fingerprint=signatures.fingerprint(suite_id, case.id, signature),
        title=writing.shortened(writing.one_line(title), LONGEST_TITLE),
        severity=severity_of([tag.casefold() for tag in case.tags]),
        body=writing.body(run_id, case, culprit, request),
        comment=writing.comment(run_id, case, culprit),
        root_cause=writing.shortened(cause, _LONGEST_CAUSE) if isinstance(cause, str) else "",
        evidence=writing.evidence(run_id, case, request),
    )
