"""Deciding about suites without asking anybody: names, ETags, and what a text says."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from pydantic_core import to_json

from services.runs.engine import language
from services.runs.engine.grammar.loading import MOST_BYTES
from services.runs.engine.grammar.models import (
    Case,
    Check,
    Expectation,
    Parsed,
    Problem,
    Sentence,
    Suite,
)
from services.runs.engine.grammar.parsing import parse
from services.runs.suites.models import (
    EXTENSIONS,
    CaseItem,
    CompiledClaim,
    Conditions,
    Draft,
    Finding,
    Validation,
)
from shared.errors import BadRequest, PreconditionFailed, TooLarge

MOST_CLAIMS: Final = 2000
"""Different ones that a validation compiles: reading one takes a good part of a millisecond."""

MOST_UNREAD: Final = 100
"""Warnings about sentences that no rule reads."""

_LONGEST_SLUG: Final = 80
_SHOWN_PROBLEMS: Final = 3
_NOT_WORD: Final = re.compile(r"[^a-z0-9]+")
_TAG: Final = re.compile(r'\s*(W/)?(?:"([^"]*)"|([^\s",]+))\s*(?:,|$)')


def etag_of(text: str) -> str:
    """Give the ETag of a text without its quotes: 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def quoted(etag: str) -> str:
    """Write an ETag as headers have it."""
    return f'"{etag}"'


def slug_of(name: str) -> str:
    """Make the first part of a file name of a suite's name."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore")
    slug = _NOT_WORD.sub("-", plain.decode().lower()).strip("-")
    return slug[:_LONGEST_SLUG].strip("-") or "suite"


def candidates(name: str, first: int, count: int) -> list[str]:
    """Give file names for a suite, the best first: without a number, then ``-2``, ``-3``…"""
    slug = slug_of(name)
    numbers = range(first, first + count)
    return [f"{slug}{'' if n == 1 else f'-{n}'}{EXTENSIONS[0]}" for n in numbers]


def check(conditions: Conditions, current: str | None) -> None:
    """Check what a writer demands of the text that is there now.

    Args:
        conditions: of the request.
        current: its ETag without quotes; None: there is no such suite.

    Raises:
        PreconditionFailed: with ``details`` that name the current ETag.
    """
    if conditions.if_match is not None and not _names(conditions.if_match, current):
        message = "The suite has changed since" if current else "There is no such suite"
        raise _failed(message, current)
    if conditions.if_none_match is not None and _names(conditions.if_none_match, current):
        raise _failed("There is such a suite already", current)


def is_unchanged(conditions: Conditions, current: str) -> bool:
    """Tell whether a reader has the text already."""
    return conditions.if_none_match is not None and _names(
        conditions.if_none_match, current, weakly=True
    )


def _failed(message: str, current: str | None) -> PreconditionFailed:
    shown = None if current is None else quoted(current)
    return PreconditionFailed(message, details=[{"current_etag": shown}])


def _names(header: str, current: str | None, *, weakly: bool = False) -> bool:
    """Whether a list of ETags (RFC 9110, section 13.1) names the current one."""
    if current is None:
        return False
    if header.strip() == "*":
        return True
    tags = _TAG.findall(header)
    return any(
        (quoted_ or bare) == current and (weakly or not weak) for weak, quoted_, bare in tags
    )


def check_size(text: str) -> None:
    """Refuse a text that is too long.

    Raises:
        TooLarge: it has more than 1 MiB (section 16).
    """
    if len(text.encode()) > MOST_BYTES:
        raise TooLarge(f"A suite may have at most {MOST_BYTES} bytes")


def drafted(text: str) -> Draft:
    """Read a text that is to be saved. Takes a few seconds for the largest.

    Raises:
        BadRequest: it is no suite; ``details`` has every problem with path and line.
    """
    parsed = parse(text)
    if parsed.suite is None:
        raise invalid(parsed.problems)
    suite = parsed.suite
    warnings = [*findings(parsed.warnings), *unread(parsed.sentences)]
    return Draft(
        text=text,
        etag=etag_of(text),
        suite_id=suite.id,
        name=suite.name,
        base_url=suite.base_url,
        case_count=len(suite.cases),
        tags=sorted({tag for case in suite.cases for tag in case.tags}),
        cases=to_json(case_items(suite)).decode(),
        warnings=to_json(warnings).decode(),
    )


def invalid(problems: Sequence[Problem]) -> BadRequest:
    """Make the error for a text that is no suite."""
    said = "; ".join(_sentence(problem) for problem in problems[:_SHOWN_PROBLEMS])
    more = len(problems) - _SHOWN_PROBLEMS
    tail = f"; and {more} more" if more > 0 else ""
    details = [finding.model_dump(exclude_none=True) for finding in findings(problems)]
    return BadRequest(f"The suite is not valid: {said}{tail}", code="invalid_yaml", details=details)


def _sentence(problem: Problem) -> str:
    where = problem.path or "the text"
    line = "" if problem.line is None else f" (line {problem.line})"
    return f"{where}{line} {problem.message}"


def findings(problems: Iterable[Problem]) -> list[Finding]:
    """Write problems or warnings for the wire."""
    return [Finding(path=one.path, line=one.line, message=one.message) for one in problems]


def unread(sentences: Iterable[Sentence]) -> list[Finding]:
    """Warn of English that no rule reads, so that its author learns it before a run.

    Each sentence is warned about once, where it stands first.
    """
    found: list[Finding] = []
    seen: set[tuple[str, str]] = set()
    for one in sentences:
        if (one.kind, one.text) in seen:
            continue
        if len(seen) == MOST_CLAIMS or len(found) == MOST_UNREAD:
            found.append(Finding(path="cases", message="further sentences were not looked at"))
            break
        seen.add((one.kind, one.text))
        why = _EXPLAIN[one.kind](one.text)
        if why:
            message = f"unread_{one.kind}: no rule reads this, so a run needs a model for it; {why}"
            found.append(Finding(path=one.path, line=one.line, message=message))
    return found


def _explain_capture(template: str) -> str:
    if language.parse_capture(template) is not None:
        return ""
    return 'name its label, as in: the text next to "Order number"'


_EXPLAIN: Final[Mapping[str, Callable[[str], str]]] = {
    "step": language.explain_step,
    "claim": language.explain_claim,
    "capture": _explain_capture,
}


def clash(file: str) -> Finding:
    """Warn that another suite has the same id."""
    message = f"{file} has this id, too: their issues and analytics will be taken for one"
    return Finding(path="id", message=message)


def case_items(suite: Suite) -> list[CaseItem]:
    """Write a suite's cases for the wire."""
    return [
        CaseItem(
            id=case.id,
            title=case.title,
            tags=list(case.tags),
            depends_on=list(case.depends_on),
            steps=len(case.steps),
            expect=len(case.expect),
        )
        for case in suite.cases
    ]


def validated(text: str) -> tuple[Validation, Parsed]:
    """Say what would become of a text. Takes a few seconds for the largest."""
    parsed = parse(text)
    suite = parsed.suite
    warnings = [*findings(parsed.warnings), *unread(parsed.sentences)]
    listed: list[CompiledClaim] = []
    if suite is not None:
        listed, is_whole = compiled(suite.cases)
        if not is_whole:
            message = f"only the first {MOST_CLAIMS} claims are shown with what decides them"
            warnings.append(Finding(path="cases", message=message))
    validation = Validation(
        ok=suite is not None,
        errors=findings(parsed.problems),
        warnings=warnings,
        cases=[] if suite is None else case_items(suite),
        compiled=listed,
    )
    return validation, parsed


def compiled(cases: Iterable[Case]) -> tuple[list[CompiledClaim], bool]:
    """Give what decides each assertion; a check that stands there wins over its claim.

    Rows of one case are listed once, under the first. Also tells whether all are listed.
    """
    known: dict[str, Check | None] = {}
    listed: list[CompiledClaim] = []
    before: tuple[Expectation, ...] = ()
    for case in cases:
        if case.expect is before:
            continue  # another row of the same case
        before = case.expect
        for one in case.expect:
            found = one.check
            if found is None:
                claim = one.claim or ""
                if claim not in known:
                    if len(known) == MOST_CLAIMS:
                        return listed, False
                    known[claim] = language.parse_claim(claim)
                found = known[claim]
            check = None if found is None else found.as_dict()
            listed.append(CompiledClaim(case=case.id, assertion=one.id, check=check))
    return listed, True
