"""What in the browser says most about a failure (contract 9).

Requests answered 5xx go before 4xx, those before requests without an answer, then exceptions of the
page's scripts, then what was missing; of equals the nearest in time before the failure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from services.runs.causes.models import SeenAssertion, SeenCase, SeenRequest, SeenStep, SeenWords

REFUSED: Final = "url_not_allowed"
"""Why a request failed that our own policy kept from leaving."""

# Asked for by browsers and their tools alone, or ended by the page's own going on.
_NOISE: Final = re.compile(
    r"/(?:favicon[^/]*|apple-touch-icon[^/]*|robots\.txt|manifest\.(?:json|webmanifest))$|\.map$"
)
_ABORTED: Final = ("net::ERR_ABORTED", "the tab was closed")
# What the browser itself writes about a request; the request says it better.
_ECHO: Final = re.compile(
    r"Failed to load resource|net::ERR_|the server responded with a status|Failed to fetch$"
)
_THROWN: Final = re.compile(r"\b(?:[A-Z]\w{0,60}(?:Error|Exception)|Uncaught|Unhandled)\b")


@dataclass(frozen=True, slots=True)
class Symptom:
    """What was seen, and what was to be judged when the case ended.

    Attributes:
        request: that failed; None where none did that matters.
        words: of the console; likewise.
        culprit: the step or expectation that decided the verdict, if one did.
        is_own: whether the request was one of the tested application.
    """

    request: SeenRequest | None = None
    words: SeenWords | None = None
    culprit: SeenStep | SeenAssertion | None = None
    is_own: bool = False


def symptom_of(case: SeenCase, base_url: str) -> Symptom:
    """Choose what says most about a failure.

    Args:
        case: that did not pass.
        base_url: of the tested application.
    """
    ranked = ranked_requests(case.network_errors, base_url)
    request = ranked[0] if ranked else None
    is_own = request is not None and is_same_origin(request.url, base_url)
    return Symptom(request, _words_of(case.console_errors), culprit_of(case), is_own)


def ranked_requests(requests: Sequence[SeenRequest], base_url: str) -> list[SeenRequest]:
    """Give the failed requests that matter, those first that say most."""

    def rank(numbered: tuple[int, SeenRequest]) -> tuple[int, bool, str, int]:
        number, one = numbered
        return (
            -class_of(one),
            is_same_origin(one.url, base_url),
            one.ts or "",
            number,
        )

    matter = [each for each in enumerate(requests) if not is_noise(each[1])]
    return [one for _, one in sorted(matter, key=rank, reverse=True)]


def class_of(request: SeenRequest) -> int:
    """Give 0 for 5xx, 1 for 4xx, 2 for no answer."""
    if request.status is None:
        return 2
    return 0 if request.status >= 500 else 1


def is_noise(request: SeenRequest) -> bool:
    """Tell whether a request failed without any meaning for the case."""
    if request.status is None and (request.error or "") in _ABORTED:
        return True
    if request.error == REFUSED:
        return True
    return _NOISE.search(path_of(request.url)) is not None


def path_of(url: str) -> str:
    """Give an address' path; empty for what is no address."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def is_same_origin(url: str, base_url: str) -> bool:
    """Tell whether an address is one of the tested application."""
    try:
        one, other = urlsplit(url), urlsplit(base_url)
        return (one.scheme, one.hostname, one.port) == (other.scheme, other.hostname, other.port)
    except ValueError:
        return False


def is_thrown(words: SeenWords) -> bool:
    """Tell whether the page threw something, instead of only writing an error."""
    return _THROWN.search(words.text[:500]) is not None


def _words_of(lines: Sequence[SeenWords]) -> SeenWords | None:
    """Choose the console's line: an exception before a mere error, of equals the last."""
    said = [each for each in lines if each.text.strip() and not _ECHO.search(each.text[:500])]
    thrown = [each for each in said if is_thrown(each)]
    matter = thrown or said
    return matter[-1] if matter else None


def culprit_of(case: SeenCase) -> SeenStep | SeenAssertion | None:
    """Give the step or expectation that decided a case's verdict: the first of them."""
    for step in case.steps:
        if step.status == "broken":
            return step
    for assertion in case.assertions:
        if assertion.verdict == case.verdict:
            return assertion
    return None
