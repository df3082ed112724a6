"""Readers of the pointer's verbs: open, click, press, hover, focus, scroll, drag."""

from __future__ import annotations

from services.runs.engine.language.clauses import Clause, take_times, without_purpose
from services.runs.engine.language.heads import strip_determiners
from services.runs.engine.language.keys import read_keys
from services.runs.engine.language.models import (
    Click,
    Drag,
    Focus,
    Hover,
    Intent,
    Open,
    Press,
    Scroll,
    Target,
)
from services.runs.engine.language.targets import read_target
from services.runs.engine.language.tokens import Phrase
from services.runs.engine.language.words import OPENED_BY_CLICK, OUTSIDE, REGIONS

_ENDS = {"top": "top", "bottom": "bottom", "end": "bottom"}
_ONTO = frozenset({"to", "onto", "into", "on"})


def read_open(clause: Clause) -> tuple[Intent, ...] | None:
    """Open a page; "the 'Actions' menu" and "the second product" are clicked."""
    rest = clause.rest
    if len(rest) > 1 and rest.word(0) in ("the", "to") and is_address(rest.cut(1)):
        rest = rest.cut(1)
    if is_address(rest):
        return (Open(Target(rest[0].text.strip(), rest[0].kind == "quote")),)
    rest = without_purpose(rest)
    target = read_target(rest)
    if target is None or not _opens(target):
        return None
    if target.role in OPENED_BY_CLICK or target.ordinal or target.relations:
        return (Click(target),)
    return (Open(target),)


def _opens(target: Target) -> bool:
    """Whether it can be opened: "the next page" and "page 2" are steps of a list, no pages."""
    if target.role == "dialog" or target.region == "dialog":
        return False
    if target.role == "page":
        return target.ordinal is None and target.text.lower() not in ("next", "previous", "prev")
    words = () if target.quoted else tuple(target.text.lower().split())
    if words in REGIONS or (len(words) == 1 and words[0] in OUTSIDE):
        return False
    if target.role == "tab" and words == ("new",):
        return False
    return bool(target.text) or target.role in OPENED_BY_CLICK


def is_address(phrase: Phrase) -> bool:
    """Whether a phrase is a URL or a path, quoted or not."""
    suffixed = len(phrase) == 2 and phrase.word(1) in ("page", "url")
    if len(phrase) != 1 and not suffixed:
        return False
    text = phrase[0].text.strip()
    starts = ("/", "http://", "https://") if suffixed else ("/", "http://", "https://", "${")
    return text.startswith(starts) and not any(character.isspace() for character in text)


def read_click(clause: Clause) -> tuple[Intent, ...] | None:
    """Click, perhaps several times."""
    return _clicks(clause.rest, "left", 1)


def read_double_click(clause: Clause) -> tuple[Intent, ...] | None:
    """Double-click."""
    return _clicks(clause.rest, "left", 2)


def read_right_click(clause: Clause) -> tuple[Intent, ...] | None:
    """Click with the right button."""
    return _clicks(clause.rest, "right", 1)


def _clicks(rest: Phrase, button: str, times: int) -> tuple[Intent, ...] | None:
    rest, repeated = take_times(without_purpose(rest))
    target = read_clicked(rest)
    return None if target is None else (Click(target, button, times),) * repeated


def read_clicked(rest: Phrase) -> Target | None:
    """What is clicked; "a product" and "the new project" do not say which."""
    target = read_target(rest)
    if target is None or target.quoted:
        return target
    if target.role is not None:
        return None if target.role == "page" else target
    if tuple(target.text.lower().split()) in REGIONS:
        return None
    article = rest.word(0)
    if article in ("a", "an") or (article == "the" and rest.run(1, 1) == ("new",)):
        return None
    return target


def read_press(clause: Clause) -> tuple[Intent, ...] | None:
    """Press keys, or else click."""
    rest, repeated = take_times(clause.rest)
    after_key = bool(clause.before) and isinstance(clause.before[-1], Press)
    found = read_keys(rest, after_key=after_key)
    if found is None and len(rest) == 1 and rest[0].kind == "quote":
        found = _quoted_key(rest)
    if found is None:
        only_word = rest.word(0) if len(rest) == 1 else ""
        if only_word and (len(only_word) == 1 or read_keys(rest, after_key=True)):
            return None
        return read_click(clause)
    keys, length = found
    behind = rest.cut(length)
    if not len(behind):
        return (Press(keys),) * repeated
    if behind.word(0) == "to" and all(token.kind == "word" for token in behind):
        return (Press(keys),) * repeated if behind.word(1) not in ("the", "a", "") else None
    if behind.word(0) not in ("in", "on", "inside", "while"):
        return None
    if tuple(word for word in behind.words if word != "the") == ("on", "keyboard"):
        return (Press(keys),) * repeated
    target = read_target(behind.cut(1))
    return None if target is None else (Press(keys, target),) * repeated


def _quoted_key(rest: Phrase) -> tuple[str, int] | None:
    """`press "Enter"` is a key; `press "5"` and `press "Delete"` may be buttons."""
    text = rest[0].text
    if " " in text or not text.isascii():
        return None
    token = rest[0]
    spoken = type(token)("word", text, text.lower(), token.start, token.end)
    return read_keys(Phrase(rest.source, (spoken,)))


def read_hover(clause: Clause) -> tuple[Intent, ...] | None:
    """Hover over an element."""
    target = read_target(without_purpose(clause.rest))
    return None if target is None else (Hover(target),)


def read_focus(clause: Clause) -> tuple[Intent, ...] | None:
    """Give an element the focus."""
    target = read_target(clause.rest)
    return None if target is None else (Focus(target),)


def read_scroll(clause: Clause) -> tuple[Intent, ...] | None:
    """Scroll in a direction, to an end of the page or to an element."""
    rest = clause.rest
    if rest.words in (("down",), ("up",), ("down", "the", "page"), ("up", "the", "page")):
        return (Scroll(rest.word(0)),)
    if rest.word(0) in ("down", "up"):
        rest = rest.cut(1)
    if rest.word(0) != "to":
        return None
    rest = rest.cut(1)
    words = tuple(word for word in rest.words if word != "the")
    if words[:1] and words[0] in _ENDS and words[1:] in ((), ("of", "page")):
        return (Scroll(_ENDS[words[0]]),)
    target = read_target(rest, hint=True)
    return None if target is None else (Scroll(target),)


def read_drag(clause: Clause) -> tuple[Intent, ...] | None:
    """Drag one element onto another; the first word that leads to the second cuts."""
    rest = clause.rest
    for position in range(1, len(rest)):
        if rest.word(position) not in _ONTO:
            continue
        # A file comes from outside the page: that is no drag within it.
        source = None if "file" in rest.words else read_target(rest.cut(0, position))
        behind = rest.cut(position + 1)
        if rest.word(position) == "on" and strip_determiners(behind).word(0) == "top":
            return None
        destination = read_target(behind)
        if source is None or destination is None:
            return None
        return (Drag(source, destination),)
    return None
