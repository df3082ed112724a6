"""Claims that have a form of their own: the console, requests, a call of an API."""

from __future__ import annotations

from services.runs.engine.grammar.models import Check
from services.runs.engine.language.claim_presence import check
from services.runs.engine.language.claim_words import CONSOLE_PHRASES, METHODS
from services.runs.engine.language.heads import number_of
from services.runs.engine.language.tokens import Phrase
from services.runs.engine.language.words import DETERMINERS

_SENT = frozenset({"sent", "made", "issued"})
_ANSWERS = tuple(
    words
    for verb in ("return", "respond", "answer")
    for form in (f"{verb}s", f"{verb}ed")
    for words in ((form,), (form, "with"))
    if words[0][:7] != "respond" or len(words) == 2
)
_STATUS = frozenset({"status", "code", "a", "the", "with"})


def read_other(phrase: Phrase) -> Check | None:
    """Read a claim of such a form; None when it has none of them."""
    words = tuple(word for word in phrase.words if word not in DETERMINERS and word != "browser")
    if " ".join(words) in CONSOLE_PHRASES:
        return check("no_console_errors")
    return _request(phrase) or _api(phrase)


def _request(phrase: Phrase) -> Check | None:
    """`a POST request to /api/x is sent`, `the request to /api/x returns 200`."""
    rest = phrase.cut(1) if phrase.word(0) in DETERMINERS else phrase
    method = rest.word(0) if rest.word(0) in METHODS else None
    rest = rest.cut(1) if method else rest
    if not rest.has(("request", "to")) or len(rest) < 4:
        return None
    address, behind = rest[2], rest.cut(3)
    if not _is_address(address.text):
        return None
    shouted = method.upper() if method else None
    if len(behind) == 2 and behind.word(0) in ("is", "was") and behind.word(1) in _SENT:
        return check("request", method=shouted, url=address.text.strip())
    status = _status(behind)
    if status is None:
        return None
    return check("request", method=shouted, url=address.text.strip(), status=status)


def _api(phrase: Phrase) -> Check | None:
    """`GET /api/x returns 200`."""
    if len(phrase) < 4 or phrase.word(0) not in METHODS or not phrase[0].text.isupper():
        return None
    status = _status(phrase.cut(2))
    if status is None or not _is_address(phrase[1].text):
        return None
    return check("api", method=phrase[0].text, url=phrase[1].text.strip(), status=status)


def _is_address(text: str) -> bool:
    text = text.strip()
    return text.startswith(("/", "http://", "https://")) and not any(map(str.isspace, text))


def _status(phrase: Phrase) -> int | None:
    """`returns 200`, `responds with status code 404`."""
    for words in _ANSWERS:
        if not phrase.has(words):
            continue
        rest = [word for word in phrase.words[len(words) :] if word not in _STATUS]
        status = number_of(rest[0]) if len(rest) == 1 else None
        if status is not None and 100 <= status < 600:
            return status
    return None
