"""Finding a cause: by rules alone, from what the browser saw and what logs say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from services.runs.causes.models import (
    LONGEST_TEXT,
    MOST_EVIDENCE,
    Category,
    LogLine,
    SeenAssertion,
    SeenCase,
    SeenRequest,
    SeenStep,
    ServerError,
)
from services.runs.causes.rules import wording
from services.runs.causes.rules.lines import SEVERE, moment_of, server_error_of
from services.runs.causes.rules.symptoms import (
    Symptom,
    class_of,
    culprit_of,
    is_thrown,
    ranked_requests,
    symptom_of,
)
from services.runs.engine.evidence.models import RootCause
from services.runs.engine.model.models import MOST_LINES, CauseQuestion

EXPLAINED: Final = frozenset({"failed", "broken"})
"""Verdicts that have a cause."""

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
        "unknown_check",
        "no_baselines",
        "invalid_yaml",
    }
)
"""Why a case can be broken whatever the tested application did: the reason says it all."""

_BY_STATUS: Final[Mapping[int, Category]] = {
    400: "validation",
    401: "auth",
    403: "auth",
    407: "auth",
    408: "timeout",
    409: "data",
    413: "validation",
    415: "validation",
    419: "auth",
    422: "validation",
    504: "timeout",
}
_SLOW: Final = ("net::ERR_TIMED_OUT", "net::ERR_CONNECTION_TIMED_OUT")
_OF_DATA: Final = frozenset({"value", "count", "attribute", "title"})
"""Checks that compare a value, whatever is there."""

_CONFIDENCE: Final[Mapping[int, float]] = {0: 0.75, 1: 0.6, 2: 0.6}
"""Of a failed request of the application, by its class (5xx, 4xx, none)."""

MOST_SHOWN: Final = 5
"""Lines of the console that a model is shown."""

CERTAIN: Final = 0.95
LOGGED: Final = 0.8
"""A failed request and an error of its own in the log; an error in the log alone has ``TOLD``."""

TOLD: Final = 0.7
ELSEWHERE: Final = 0.2
"""What a request to somebody else's server takes away."""


def cases_of(report: Mapping[str, Any]) -> list[SeenCase]:
    """Give the cases of a report that have a cause; what cannot be read is left out."""
    found = []
    for plain in report.get("cases") or ():
        try:
            case = SeenCase.model_validate(plain)
        except ValidationError:
            continue
        if case.verdict in EXPLAINED and not _explains_itself(case):
            found.append(case)
    return found


def _explains_itself(case: SeenCase) -> bool:
    word = (case.reason or "").partition(":")[0].strip()
    return case.verdict == "broken" and word in NOT_THE_APPLICATION


def base_url_of(report: Mapping[str, Any]) -> str:
    """Give the address of the tested application; empty where the report does not say."""
    environment = report.get("env")
    found = environment.get("base_url") if isinstance(environment, Mapping) else None
    return found if isinstance(found, str) else ""


def with_found(report: Mapping[str, Any], causes: Mapping[str, RootCause]) -> dict[str, Any]:
    """Put causes into a report, by the id of a case."""

    def explained(case: Any) -> Any:
        key = case.get("id") if isinstance(case, Mapping) else None
        if not isinstance(key, str) or key not in causes or case.get("verdict") not in EXPLAINED:
            return case
        return {**case, "root_cause": causes[key].as_json()}

    return {**report, "cases": [explained(case) for case in report.get("cases") or ()]}


def cause_of(case: SeenCase, base_url: str, lines: Sequence[LogLine] = ()) -> RootCause:
    """Say why a case did not pass, as far as that can be told.

    Args:
        case: failed or broken.
        base_url: of the tested application.
        lines: of its log, masked, oldest first.
    """
    symptom = symptom_of(case, base_url)
    near = moment_of(symptom.request.ts) if symptom.request else None
    error = server_error_of(lines, near)
    cause = _seen(case, symptom)
    if error is not None:
        cause = _told(cause, symptom.request, error)
    return replace(
        cause,
        suspected_cause=wording.shortened(cause.suspected_cause, LONGEST_TEXT),
        suggested_fix=wording.shortened(cause.suggested_fix, LONGEST_TEXT),
        evidence=_evidence(symptom, lines, error, cause),
    )


def question_of(
    case: SeenCase, cause: RootCause, base_url: str, lines: Sequence[LogLine] = ()
) -> CauseQuestion:
    """Give what a model is asked, whom the rules' own answer is shown.

    Args:
        case: that did not pass.
        cause: what the rules say of it.
        base_url: of the tested application.
        lines: of the application's log, masked.
    """
    culprit = culprit_of(case)
    requests = ranked_requests(case.network_errors, base_url)
    failed = observed = ""
    if isinstance(culprit, SeenStep):
        failed, observed = culprit.do, culprit.error or case.reason or ""
    elif culprit is not None:
        failed = culprit.claim or culprit.expected or culprit.id
        observed = culprit.observed or case.reason or ""
    return CauseQuestion(
        category=cause.category,
        suspected=cause.suspected_cause,
        fix=cause.suggested_fix,
        failed=failed,
        observed=observed,
        request=wording.came_to(requests[0]) if requests else "",
        server_error=cause.server_error or "",
        lines=tuple(line.text for line in lines[-MOST_LINES:]),
        console=tuple(words.text for words in case.console_errors[-MOST_SHOWN:]),
    )


def _seen(case: SeenCase, symptom: Symptom) -> RootCause:
    """Say it from what the browser saw."""
    request, words = symptom.request, symptom.words
    if request is not None:
        category = category_of(request)
        sure = _CONFIDENCE[class_of(request)] - (0 if symptom.is_own else ELSEWHERE)
        return _cause(category, wording.of_request(request, category), sure)
    if words is not None and (is_thrown(words) or _is_missing(symptom)):
        said = f"The page's script failed: {wording.shortened(words.text)}"
        return _cause("js_error", said, 0.55 if is_thrown(words) else 0.4)
    return _of_culprit(case, symptom.culprit)


def _is_missing(symptom: Symptom) -> bool:
    return not isinstance(symptom.culprit, SeenAssertion) or (
        _kind(symptom.culprit) not in _OF_DATA
    )


def _of_culprit(case: SeenCase, culprit: SeenStep | SeenAssertion | None) -> RootCause:
    word, _, message = (case.reason or "").partition(":")
    if word.strip() in ("timeout", "page_stuck"):
        said = f"The page was too slow: {wording.shortened(message or word)}"
        return _cause("timeout", said, 0.45)
    if word.strip() == "unreachable":
        said = f"The page could not be opened: {wording.shortened(message or word)}"
        return _cause("network", said, 0.6)
    if isinstance(culprit, SeenStep):
        what = wording.shortened(culprit.error or message or culprit.do)
        return _cause("ui_missing", f"The page did not offer what the step needs: {what}", 0.4)
    if culprit is None:
        said = wording.shortened(case.reason or "The case could not be carried out.")
        return _cause("ui_missing", said, 0.2)
    expected = wording.shortened(culprit.expected or culprit.claim or culprit.id)
    observed = wording.shortened(culprit.observed or "nothing of the kind")
    if _kind(culprit) in _OF_DATA:
        said = f"The page shows another value: expected {expected}; saw {observed}"
        return _cause("data", said, 0.4)
    said = f"The page does not show what is expected: {expected}; saw {observed}"
    return _cause("ui_missing", said, 0.4)


def _kind(culprit: SeenAssertion) -> str:
    return str((culprit.check or {}).get("kind") or "")


def category_of(request: SeenRequest) -> Category:
    """Give the class of a failed request."""
    if request.status is None:
        return "timeout" if request.error in _SLOW else "network"
    if request.status in _BY_STATUS:
        return _BY_STATUS[request.status]
    return "backend_error" if request.status >= 500 else "client_error"


def _cause(category: Category, said: str, sure: float) -> RootCause:
    return RootCause(category, None, said, wording.fix_of(category), round(sure, 2))


def _told(cause: RootCause, request: SeenRequest | None, error: ServerError) -> RootCause:
    """Say it with what the application's log says."""
    shown = wording.shortened(str(error), LONGEST_TEXT)
    category: Category = "backend_error" if request is None else category_of(request)
    if request is None:
        said, sure = f"The server failed behind the page: {shown}", TOLD
    else:
        what = wording.came_to(request)
        said = f"{what}, because the server failed: {shown}"
        sure = CERTAIN if class_of(request) == 0 and error.frame else LOGGED
    fix = wording.fix_of(category, error.frame)
    return RootCause(category, shown, said, fix, sure)


def _evidence(
    symptom: Symptom, lines: Sequence[LogLine], error: ServerError | None, cause: RootCause
) -> tuple[str, ...]:
    """Give the lines that show a cause: the request, the log, the console, the expectation."""
    found: list[str] = []
    if symptom.request is not None:
        trace = symptom.request.trace_id or symptom.request.request_id
        found.append(wording.came_to(symptom.request) + (f" (trace {trace})" if trace else ""))
    if error is not None:
        found.append(str(error))
        severe = [line.text for line in lines if line.level in SEVERE]
        found += [text.split("\n", 1)[0] for text in severe[-2:]]
    if symptom.words is not None:
        found.append(symptom.words.text)
    if not found or cause.category in ("ui_missing", "data"):
        culprit = symptom.culprit
        said = culprit.error if isinstance(culprit, SeenStep) else culprit and culprit.observed
        found.append(said or "")
    shown = (wording.shortened(each) for each in found if each.strip())
    return tuple(dict.fromkeys(shown))[:MOST_EVIDENCE]
