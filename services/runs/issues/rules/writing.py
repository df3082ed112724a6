"""How an issue reads: Markdown in which no word of a page can be anything but text.

What a page said stands in code spans and code blocks whose fence is longer than any in it, so a
page can put neither links nor pictures nor headings into an issue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from services.runs.issues.models import SeenAssertion, SeenCase, SeenRequest, SeenShot, SeenStep

ARTIFACTS: Final = "/api/v1/artifacts"

_LONGEST_BLOCK: Final = 4_000
_LONGEST_LINE: Final = 300
_MOST_STEPS: Final = 20
_MOST_EVIDENCE: Final = 5
_FENCE: Final = re.compile(r"`+")


def clean(value: object) -> str:
    """Give a text without NUL, and without what is no character; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "").encode("utf-8", "replace").decode()


def cleaned(value: Any) -> Any:
    """Clean all texts of a JSON value."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(key): cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(inner) for inner in value]
    return value


def shortened(text: str, most: int) -> str:
    """Cut a text that is too long, and show that."""
    return text if len(text) <= most else text[: most - 1] + "…"


def one_line(text: str) -> str:
    """Put a text on one line."""
    return " ".join(text.split())


def code(text: str) -> str:
    """Write a text as a code span."""
    line = shortened(one_line(text), _LONGEST_LINE) or " "
    ticks = "`" * (_longest_fence(line) + 1)
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def block(text: str) -> str:
    """Write a text as a code block."""
    kept = shortened(text, _LONGEST_BLOCK)
    fence = "`" * max(3, _longest_fence(kept) + 1)
    return f"{fence}text\n{kept}\n{fence}"


def _longest_fence(text: str) -> int:
    return max((len(run) for run in _FENCE.findall(text)), default=0)


def summary(culprit: SeenStep | SeenAssertion) -> str:
    """Say in a few words what failed."""
    if isinstance(culprit, SeenStep):
        return f"could not {culprit.do}" if culprit.do else f"step {culprit.id} is broken"
    if culprit.claim:
        return f"does not hold: {culprit.claim}"
    kind = (culprit.check or {}).get("kind")
    return f"check {kind} of {culprit.id} failed" if kind else f"{culprit.id} failed"


def body(
    run_id: str,
    case: SeenCase,
    culprit: SeenStep | SeenAssertion,
    request: SeenRequest | None,
) -> str:
    """Write the body of a new issue: what failed, expected, observed, the steps, the screenshot."""
    what = "Step" if isinstance(culprit, SeenStep) else "Expectation"
    parts = [
        f"**What failed:** {what} {code(culprit.id)} of case {code(case.id)} in run {code(run_id)}",
        code(summary(culprit)),
        *_judged(culprit, case),
    ]
    if request is not None:
        parts.append(f"**Failed request:** {code(request_line(request))}")
    if case.steps:
        parts.append("**Steps**\n\n" + "\n".join(_steps(case)))
    return "\n\n".join([*parts, *_cause(case), *_screenshot(run_id, case)])


def comment(run_id: str, case: SeenCase, culprit: SeenStep | SeenAssertion) -> str:
    """Write the comment with which a failure is noted once more."""
    parts = [f"Seen again in run {code(run_id)}.", *_judged(culprit, case)]
    return "\n\n".join([*parts, *_cause(case), *_screenshot(run_id, case)])


def _judged(culprit: SeenStep | SeenAssertion, case: SeenCase) -> list[str]:
    if isinstance(culprit, SeenStep):
        observed = culprit.error or case.reason
        return [f"**Observed**\n\n{block(observed)}"] if observed else []
    parts = []
    if culprit.expected:
        parts.append(f"**Expected**\n\n{block(culprit.expected)}")
    observed = culprit.observed or case.reason
    if observed:
        parts.append(f"**Observed**\n\n{block(observed)}")
    return parts


def _steps(case: SeenCase) -> list[str]:
    """List the steps up to the one that broke; of many the last ones."""
    reached = [one for one in case.steps if one.status != "skipped"] or list(case.steps)
    first = max(0, len(reached) - _MOST_STEPS)
    lines = [
        f"{number}. {code(one.do)}" + (" (broken)" if one.status == "broken" else "")
        for number, one in enumerate(reached[first:], first + 1)
    ]
    return [f"({first} earlier steps)", "", *lines] if first else lines


def _cause(case: SeenCase) -> list[str]:
    found = case.root_cause or {}
    named = (
        ("Backend error", found.get("server_error")),
        ("Suspected cause", found.get("suspected_cause")),
        ("Suggested fix", found.get("suggested_fix")),
    )
    return [
        f"**{name}**\n\n{block(text)}" for name, text in named if isinstance(text, str) and text
    ]


def _screenshot(run_id: str, case: SeenCase) -> list[str]:
    shot = shot_of(case)
    return [] if shot is None else [f"[Screenshot]({address_of(run_id, shot)})"]


def shot_of(case: SeenCase) -> SeenShot | None:
    """Give the screenshot of the failure: the last."""
    return case.shots[-1] if case.shots else None


def address_of(run_id: str, shot: SeenShot) -> str:
    """Give the address of a screenshot below the installation's."""
    # What ends a link in Markdown is quoted, too: parentheses are not reserved in addresses.
    return f"{ARTIFACTS}/{quote(run_id)}/{quote(shot.path)}"


def request_line(request: SeenRequest) -> str:
    """Say what a request came to."""
    url = request.url.partition("?")[0]
    if request.status is None:
        return f"{request.method} {url} got no answer"
    return f"{request.method} {url} answered {request.status}"


def evidence(run_id: str, case: SeenCase, request: SeenRequest | None) -> tuple[str, ...]:
    """Give lines that show a failure: what its cause was found by, the screenshot."""
    found = (case.root_cause or {}).get("evidence")
    lines = [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
    if not lines and request is not None:
        lines = [request_line(request)]
    shown = [shortened(one_line(each), _LONGEST_LINE) for each in lines[:_MOST_EVIDENCE]]
    shot = shot_of(case)
    return tuple(shown if shot is None else [*shown, address_of(run_id, shot)])
