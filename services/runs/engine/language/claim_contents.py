"""Claims about what the page or an element shows, holds or points to."""

from __future__ import annotations

from dataclasses import replace

from services.runs.engine.grammar.models import Check
from services.runs.engine.language.claim_presence import check, presence
from services.runs.engine.language.claim_states import value_is
from services.runs.engine.language.claim_words import ATTRIBUTES, LONGEST_STATE, STATES
from services.runs.engine.language.heads import strip_determiners
from services.runs.engine.language.models import Target
from services.runs.engine.language.sentences import Sentence
from services.runs.engine.language.targets import parse_target
from services.runs.engine.language.things import Thing, read_thing
from services.runs.engine.language.tokens import Phrase
from services.runs.engine.language.values import is_literal
from services.runs.engine.language.words import FIELD_ROLES

_PICTURES = frozenset({"screenshot", "baseline", "snapshot"})


def watcher_sees(sentence: Sentence, subject: Thing) -> Check | None:
    """`I should see "x"`, `the user doesn't see the "x" button`."""
    del subject
    rest = sentence.rest.cut(1) if sentence.rest.word(0) == "that" else sentence.rest
    thing = read_thing(rest)
    return None if thing is None else presence(thing, sentence.place, negative=sentence.negative)


def page_shows(sentence: Sentence, subject: Thing) -> Check | None:
    """`the page shows "x"`, `the page has a "x" link in the header`."""
    return watcher_sees(sentence, subject)


def there_is(sentence: Sentence, subject: Thing) -> Check | None:
    """`there is a heading "x"`, `there are 3 rows visible`."""
    for length in range(LONGEST_STATE, 0, -1):
        if STATES.get(sentence.rest.words[-length:]) == "visible" and len(sentence.rest) > length:
            rest = sentence.rest.cut(0, len(sentence.rest) - length)
            visible = Sentence(sentence.subject, "see", rest, sentence.negative, sentence.place)
            return watcher_sees(visible, subject)
    return watcher_sees(sentence, subject)


def page_matches(sentence: Sentence, subject: Thing) -> Check | None:
    """`the page matches the screenshot "home"`."""
    del subject
    rest = strip_determiners(sentence.rest)
    if len(rest) != 2 or len(sentence.place):
        return None
    if rest.word(0) in _PICTURES and rest[1].kind == "quote" and rest[1].text.strip():
        return check("screenshot", negative=sentence.negative, name=rest[1].text)
    return None


def element_shows(sentence: Sentence, subject: Thing) -> Check | None:
    """`the dialog shows "x"`, `the "Email" field contains ${email}`."""
    target = parse_target(subject.hint)
    literal = _literal(sentence.rest)
    if target.role in FIELD_ROLES and literal is not None:
        return value_is(sentence, subject, "contains", literal)
    if target.role in FIELD_ROLES and target.role != "field":
        return None
    thing = read_thing(sentence.rest)
    if thing is None or subject.negative:
        return None
    if thing.kind == "texts":
        if target.role in FIELD_ROLES or thing.place is not None:
            return None
        # Toasts are watched as they come and go, so any of them will do (contract 6.1).
        unnamed_alert = target == Target("", role="alert")
        return _within(thing, sentence, None if unnamed_alert else subject.hint)
    return _holds(thing, sentence, subject)


def error_says(sentence: Sentence, subject: Thing) -> Check | None:
    """`the error message says "x"`."""
    thing = read_thing(sentence.rest)
    if thing is None or thing.kind != "texts" or subject.place is not None or subject.negative:
        return None
    return _within(thing, sentence, None)


def element_has(sentence: Sentence, subject: Thing) -> Check | None:
    """`the table has 3 rows`, `the "Name" field has the value "x"`, `... has an error`."""
    rest = strip_determiners(sentence.rest)
    literal = _literal(rest.cut(1)) if rest.word(0) == "value" else None
    if literal is not None:
        return value_is(sentence, subject, "equals", literal)
    for words, name in ATTRIBUTES.items():
        literal = _literal(rest.cut(len(words))) if rest.has(words) else None
        if literal is not None and not len(sentence.place) and not subject.negative:
            return check(
                "attribute",
                negative=sentence.negative,
                selector_hint=subject.hint,
                name=name,
                equals=literal,
            )
    return element_shows(sentence, subject)


def element_starts(sentence: Sentence, subject: Thing) -> Check | None:
    """`the "Code" field starts with "AB"`."""
    literal = _literal(sentence.rest.cut(1)) if sentence.rest.word(0) == "with" else None
    return None if literal is None else value_is(sentence, subject, "starts_with", literal)


def element_ends(sentence: Sentence, subject: Thing) -> Check | None:
    """`the "Code" field ends with "01"`."""
    literal = _literal(sentence.rest.cut(1)) if sentence.rest.word(0) in ("with", "in") else None
    return None if literal is None else value_is(sentence, subject, "ends_with", literal)


def link_points(sentence: Sentence, subject: Thing) -> Check | None:
    """`the link "Docs" points to /docs`."""
    rest = sentence.rest
    if rest.word(0) != "to" or len(rest) != 2 or len(sentence.place) or subject.negative:
        return None
    address = rest[1].text.strip()
    if parse_target(subject.hint).role != "link" or not address.startswith(("/", "http", "#")):
        return None
    return check(
        "attribute",
        negative=sentence.negative,
        selector_hint=subject.hint,
        name="href",
        equals=address,
    )


def _within(thing: Thing, sentence: Sentence, hint: str | None) -> Check | None:
    """A text inside an element."""
    if len(sentence.place):
        return None
    inside = thing if hint is None else replace(thing, place=hint)
    return presence(inside, sentence.place, negative=sentence.negative)


def _holds(thing: Thing, sentence: Sentence, subject: Thing) -> Check | None:
    """An element, a number of them or an error inside an element."""
    if len(sentence.place) or subject.kind == "loose":
        return None
    if thing.kind == "error":
        if thing.place is not None:
            return None
        owned = Thing("error", negative=thing.negative, place=subject.hint)
        return presence(owned, sentence.place, negative=sentence.negative)
    if thing.kind not in ("element", "count") or thing.target is None:
        return None
    held = Thing(
        thing.kind,
        f"{thing.hint} in {subject.hint}",
        None,
        negative=thing.negative,
        number=thing.number,
    )
    return presence(held, sentence.place, negative=sentence.negative)


def _literal(rest: Phrase) -> str | None:
    """One literal, and nothing else."""
    rest = rest.cut(1) if rest.word(0) == ":" else rest
    return rest[0].text if len(rest) == 1 and is_literal(rest[0]) else None
