"""What a capture takes from the page (contract 6.2)."""

from __future__ import annotations

from services.runs.engine.language.heads import strip_determiners
from services.runs.engine.language.models import CapturePhrase
from services.runs.engine.language.targets import read_target
from services.runs.engine.language.tokens import NEWLINE, Phrase, tokenize
from services.runs.engine.language.words import (
    CHOOSING,
    DETERMINERS,
    FIELD_ROLES,
    Words,
    phrases,
    vocabulary,
)

_PATTERNS = {
    "id": "id",
    "identifier": "id",
    "number": "number",
    "no": "number",
    "code": "code",
    "pin": "code",
    "token": "code",
    "total": "total",
    "sum": "total",
    "price": "price",
    "amount": "price",
    "cost": "price",
    "url": "url",
    "link": "url",
    "email": "email",
    "e-mail": "email",
    "date": "date",
}
_PAGE_URLS = phrases("current url,url,page url,url of page,current page url,address of page")
_PAGE_TITLES = phrases("page title,title,title of page,current page title")
_LEADS: tuple[Words, ...] = (("take",), ("copy",), ("capture",), ("remember",), ("read",))
_BESIDE: tuple[Words, ...] = (
    ("text", "next", "to"),
    ("text", "beside"),
    ("text", "after"),
    ("text", "behind"),
    ("value", "next", "to"),
    ("value", "beside"),
    ("value", "after"),
    ("value", "of"),
    ("number", "next", "to"),
    ("value", "for"),
)
_TEXT_OF: tuple[Words, ...] = (("text", "of"), ("content", "of"), ("text", "in"))
# Where it is shown says nothing when the page is meant.
_ENDINGS: tuple[Words, ...] = tuple(
    tuple(f"{shown}{place}".split())
    for place in ("on the page", "on the screen", "on this page", "in the page", "from the page")
    for shown in ("that is shown ", "which is shown ", "shown ", "displayed ", "")
)
_VAGUE = vocabulary(
    "new first last second third some any correct right random other next previous all every not "
    "of in on at for with and or from that which"
)
_MOST_WORDS = 4


def parse_capture(template: str) -> CapturePhrase | None:
    """Read a capture's `from`; None when the rules cannot read all of it."""
    phrase = tokenize(template)
    if phrase is None:
        return None
    phrase = _core(phrase.without(frozenset({NEWLINE})))
    text = " ".join(word for word in phrase.words if word not in DETERMINERS)
    if text in _PAGE_URLS:
        return CapturePhrase("page_url")
    if text in _PAGE_TITLES:
        return CapturePhrase("page_title")
    return _field(phrase) or _beside(phrase) or _text_of(phrase) or _pattern(phrase)


def _core(phrase: Phrase) -> Phrase:
    for words in _LEADS:
        if phrase.has(words) and len(phrase) > 1:
            phrase = phrase.cut(1)
            break
    for words in _ENDINGS:
        if len(phrase) > len(words) and phrase.words[-len(words) :] == words:
            phrase = phrase.cut(0, len(phrase) - len(words))
            break
    return strip_determiners(phrase)


def _field(phrase: Phrase) -> CapturePhrase | None:
    """`the value of the "API key" field`."""
    rest = phrase
    for words in (("value", "of"), ("value", "in"), ("text", "in"), ("content", "of")):
        if phrase.has(words):
            rest = phrase.cut(2)
            break
    target = read_target(rest)
    if target is None or target.role not in FIELD_ROLES or len(rest) == len(phrase):
        return None
    return CapturePhrase("value", target=target)


def _beside(phrase: Phrase) -> CapturePhrase | None:
    """A quoted label: `"Order ID"`, `the text next to "Order ID"`, `the price of "Mug"`."""
    quotes = [index for index, token in enumerate(phrase) if token.kind == "quote"]
    if len(quotes) != 1 or not phrase[quotes[0]].text.strip():
        return None
    label = phrase[quotes[0]].text
    if quotes == [0] and phrase.words[1:] in ((), ("value",), ("label",), ("field",), ("text",)):
        return CapturePhrase("beside", label=label)
    if quotes[0] != len(phrase) - 1:
        return None
    before = phrase.cut(0, quotes[0])
    while before.word(-1) in DETERMINERS or before.word(-1) in ("label", "labelled", "labeled"):
        before = before.cut(0, len(before) - 1)
    if before.words in _BESIDE or before.words in (("value",), ("text",)):
        return CapturePhrase("beside", label=label)
    if len(before) == 2 and before.word(1) in ("of", "for", "near", "beside"):
        kind = _PATTERNS.get(before.word(0))
        return None if kind is None else CapturePhrase(kind, label=label)
    return None


def _text_of(phrase: Phrase) -> CapturePhrase | None:
    """`the text of the heading`; a heading alone means its text, too."""
    rest = phrase
    for words in _TEXT_OF:
        if phrase.has(words):
            rest = phrase.cut(2)
            break
    target = read_target(rest)
    if target is None or target.role in (None, "page") or target.role in FIELD_ROLES:
        return None
    if len(rest) == len(phrase) and target.role != "heading":
        return None
    return CapturePhrase("text", target=target)


def _pattern(phrase: Phrase) -> CapturePhrase | None:
    """`the order number`: a pattern near words; `the number of the order` the other way."""
    words = phrase.words
    if len(words) > 2 and words[1] == "of" and words[0] in _PATTERNS:
        words = (*(word for word in words[2:] if word not in DETERMINERS), words[0])
    if not words or len(words) > _MOST_WORDS + 1 or words[-1] not in _PATTERNS:
        return None
    near = words[:-1]
    if any(not word.isalpha() or word in _VAGUE | CHOOSING for word in near):
        return None
    return CapturePhrase(_PATTERNS[words[-1]], words=near)
