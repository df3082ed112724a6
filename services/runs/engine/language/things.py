"""What claims speak of: texts, elements, errors, numbers of elements, the page itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.runs.engine.language.claim_words import (
    ELSEWHERE,
    ERROR_PHRASES,
    JUDGING,
    NOUNS_BEHIND_TEXT,
    PAGE_WORDS,
    PATH_PHRASES,
    QUANTIFIERS,
    TEXT_NOUNS,
    TITLE_PHRASES,
    URL_PHRASES,
    WATCHERS,
)
from services.runs.engine.language.heads import number_of, strip_determiners
from services.runs.engine.language.models import Target
from services.runs.engine.language.targets import read_places, read_target
from services.runs.engine.language.tokens import Phrase, Token
from services.runs.engine.language.words import DETERMINERS, RELATIONS, ROLE_NOUNS

_JOINTS = {"and": "all", "or": "any", "nor": "nor"}
_BEFORE_TEXT = TEXT_NOUNS | DETERMINERS | {":"}
_ERROR_PLACES = frozenset({"for", "at", "near", "with", "under"})


@dataclass(frozen=True, slots=True)
class Thing:
    """What a claim speaks of.

    Attributes:
        kind: `watcher`, `page`, `there`, `url`, `path`, `title`, `texts`, `error`, `count`,
            `element` (with a role, or quoted) or `loose` (a name in plain words).
        hint: Its words as a selector hint.
        target: How the hint is read.
        texts: The literal texts, in order.
        joint: `all` or `any`, of several texts; `both` when the claim says so.
        negative: It was said with "no" or "neither".
        number: The count, as parameter and value.
        place: Where it is, as a selector hint; None for anywhere on the page.
        tokens: The tokens of `hint`, of texts.
    """

    kind: str
    hint: str = ""
    target: Target | None = None
    texts: tuple[str, ...] = ()
    joint: str = "all"
    negative: bool = False
    number: tuple[str, int] | None = None
    place: str | None = None
    tokens: tuple[Token, ...] = ()


def read_thing(phrase: Phrase) -> Thing | None:
    """Read what a claim speaks of; None when any word of it is not understood."""
    plain = _whole(phrase)
    if plain is not None:
        return plain
    counted = _count(phrase)
    if counted is not None:
        return counted
    negative = phrase.word(0) in ("no", "neither", "any")
    said_no = phrase.word(0) in ("no", "neither")
    rest = phrase.cut(1) if negative else phrase
    thing = _error(rest) or _placed_texts(rest) or _element(rest)
    return None if thing is None else replace(thing, negative=said_no)


def _whole(phrase: Phrase) -> Thing | None:
    words = strip_determiners(phrase).words
    text = " ".join(word for word in words if word not in DETERMINERS)
    if len(words) == 1 and words[0] in WATCHERS:
        return Thing("watcher")
    if len(words) == 1 and words[0] in PAGE_WORDS:
        return Thing("page")
    if words == ("there",):
        return Thing("there")
    for kind, known in (("url", URL_PHRASES), ("path", PATH_PHRASES), ("title", TITLE_PHRASES)):
        if text in known:
            return Thing(kind)
    return None


def _count(phrase: Phrase) -> Thing | None:
    """`3 rows`, `at least two "Delete" buttons`, `exactly one row containing "x"`."""
    parameter, shift, start = "equals", 0, 0
    for words, (name, offset) in QUANTIFIERS.items():
        if phrase.has(words) and len(words) > start:
            parameter, shift, start = name, offset, len(words)
    number = number_of(phrase.word(start))
    counted = phrase.cut(start + 1)
    if number is None or number + shift < 0 or not len(counted):
        return None
    target = read_target(counted)
    if target is None or target.role is None or target.ordinal is not None or _judges(target):
        return None
    return Thing("count", counted.text, target, number=(parameter, number + shift))


def _error(phrase: Phrase) -> Thing | None:
    """`an error`, `validation errors below the "Email" field`."""
    phrase = strip_determiners(phrase)
    for length in range(min(3, len(phrase)), 0, -1):
        if " ".join(phrase.run(0, length)) not in ERROR_PHRASES:
            continue
        behind = phrase.cut(length)
        if not len(behind):
            return Thing("error")
        return with_place(Thing("error"), behind)
    return None


def error_place(phrase: Phrase) -> str | None:
    """The field an error belongs to, as a hint; None when it cannot be read."""
    words = phrase.words
    start = 2 if words[:2] in RELATIONS else int(words[:1] in RELATIONS)
    start = start or int(phrase.word(0) in _ERROR_PLACES)
    field = phrase.cut(start)
    target = read_target(field, hint=True) if start and len(field) else None
    return None if target is None or target.role == "page" else field.text


def _placed_texts(phrase: Phrase) -> Thing | None:
    """Texts, perhaps with a place behind them: `"A" and "B" in the header`."""
    end = next(
        (
            index
            for index in range(1, len(phrase))
            if phrase.run(index, 1) in RELATIONS or phrase.run(index, 2) in RELATIONS
        ),
        len(phrase),
    )
    thing = _texts(phrase.cut(0, end))
    if thing is None or end == len(phrase):
        return thing
    return with_place(thing, phrase.cut(end))


def with_place(thing: Thing, phrase: Phrase) -> Thing | None:
    """Put a place ("in the header") behind a thing; None when it cannot be read or carried."""
    if not len(phrase):
        return thing
    if thing.kind == "error":
        if _is_page(phrase):
            return thing
        place = None if thing.place is not None else error_place(phrase)
        return None if place is None else replace(thing, place=place)
    places = read_places(phrase)
    if places is None or thing.place is not None:
        return None
    relations, region = places
    if not relations and region is None:
        return thing
    if any(_judges(relation.target) or _is_elsewhere(relation.target) for relation in relations):
        return None
    if thing.target is not None:
        hint = f"{thing.hint} {phrase.text}"
        return replace(thing, hint=hint, target=None) if thing.kind != "loose" else None
    if thing.kind != "texts":
        return None
    if relations and relations[0].kind not in ("in", "row"):
        beside = len(thing.texts) == 1 and read_target(Phrase(phrase.source, thing.tokens))
        return Thing("element", f"{thing.hint} {phrase.text}") if beside else None
    length = 2 if phrase.run(0, 2) in RELATIONS else 1
    return replace(thing, place=phrase.cut(length).text)


def _is_page(phrase: Phrase) -> bool:
    return read_places(phrase) == ((), None)


def _texts(phrase: Phrase) -> Thing | None:
    """Literal texts with nouns for texts around them."""
    joint = {"either": "any", "both": "both"}.get(phrase.word(0))
    rest = phrase.cut(1) if joint else phrase
    texts: list[str] = []
    joints: set[str] = set()
    open_for_text = True
    for token in rest:
        if token.literal:
            if not open_for_text or not token.text.strip():
                return None
            texts.append(token.text)
            open_for_text = False
        elif token.word in _JOINTS or token.word == ",":
            if not texts:
                return None
            joints.update([_JOINTS[token.word]] if token.word in _JOINTS else [])
            open_for_text = True
        elif token.word in (NOUNS_BEHIND_TEXT if not open_for_text else _BEFORE_TEXT):
            continue
        else:
            return None
    if not texts or open_for_text or len(joints) > 1:
        return None
    said = joints.pop() if joints else "all"
    if joint == "any" and said != "any":
        return None
    return Thing("texts", phrase.text, None, tuple(texts), joint or said, tokens=phrase.tokens)


def _element(phrase: Phrase) -> Thing | None:
    """An element with a role, or a name in plain words."""
    target = read_target(phrase, hint=True)
    if target is None or _judges(target) or target.role == "page":
        return None
    if target.role is None and (_is_elsewhere(target) or _is_person_or_page(target)):
        return None
    placed = target.role is not None or target.region is not None or target.quoted
    return Thing("element" if placed else "loose", phrase.text, target)


def _judges(target: Target) -> bool:
    """Whether a name in plain words judges, counts roughly or speaks of several elements."""
    words = () if target.quoted else tuple(target.text.lower().split())
    if any(word in JUDGING or (word,) in ROLE_NOUNS for word in words):
        return True
    return any(_judges(relation.target) for relation in target.relations)


def _is_person_or_page(target: Target) -> bool:
    words = () if target.quoted else target.text.lower().split()
    return any(word in PAGE_WORDS or word in WATCHERS or word.endswith("ly") for word in words)


def _is_elsewhere(target: Target) -> bool:
    """Whether a name in plain words says something that is not on the page."""
    words = () if target.quoted or target.role is not None else tuple(target.text.lower().split())
    return bool(words) and (words[0] in ELSEWHERE or words[-1] in ELSEWHERE)
