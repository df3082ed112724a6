"""Claims about the state of something: shown, gone, enabled, checked, empty, equal to a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.runs.engine.grammar.models import Check
from services.runs.engine.language.claim_presence import check, presence
from services.runs.engine.language.claim_words import LONGEST_STATE, STATES
from services.runs.engine.language.models import Target
from services.runs.engine.language.sentences import Sentence
from services.runs.engine.language.targets import parse_target, read_target
from services.runs.engine.language.things import Thing, read_thing, with_place
from services.runs.engine.language.tokens import Phrase
from services.runs.engine.language.values import is_literal
from services.runs.engine.language.words import FIELD_ROLES, RELATIONS, TOGGLE_ROLES

_OPENINGS = frozenset({"open", "opened", "closed"})
_OPENED = frozenset({"dialog", "menu", "section", "listitem"})
_SELECTED = frozenset({"radio", "checkbox", "tab", "option", "card"})
_HOLDING = {"table": "rows", "list": "items"}
_STATES_OF_TEXT = frozenset({"visible", "hidden"})


def appears(sentence: Sentence, subject: Thing) -> Check | None:
    """`"x" appears in the header`, `a toast appears with "x"`."""
    if sentence.rest.word(0) in ("with", "saying") and subject.target == Target("", role="alert"):
        said = read_thing(sentence.rest.cut(1))
        if said is None or said.kind != "texts" or subject.negative or len(sentence.place):
            return None
        return presence(said, sentence.place, negative=sentence.negative)
    return _present(sentence, subject, sentence.rest, sentence.negative)


def disappears(sentence: Sentence, subject: Thing) -> Check | None:
    """`"x" disappears`; "does not disappear" means that it stays."""
    if subject.negative:
        return None
    return _present(sentence, subject, sentence.rest, not sentence.negative)


def is_shown(sentence: Sentence, subject: Thing) -> Check | None:
    """`an error is shown`, `3 rows are visible`."""
    state = _state(sentence.rest)
    if state is None or state[0] not in _STATES_OF_TEXT:
        return None
    return _shown(sentence, subject, state)


def texts_are(sentence: Sentence, subject: Thing) -> Check | None:
    """`"x" is visible`; one quoted name may also be an element: `"Save" is disabled`."""
    state = _state(sentence.rest)
    if state is None or sentence.rest.word(0) in _OPENINGS:
        return None
    if state[0] in _STATES_OF_TEXT:
        return _shown(sentence, subject, state)
    if sentence.rest.word(0) in ("selected", "chosen") and state[0] == "checked":
        chosen = _chosen(sentence, subject, state[1])
        if chosen is not None:
            return chosen
    named = len(subject.texts) == 1 and subject.place is None
    target = read_target(sentence.subject) if named else None
    if target is None or target != Target(subject.texts[0].strip(), True):
        return None
    return _in_state(sentence, subject, target, state)


def _chosen(sentence: Sentence, subject: Thing, place: Phrase) -> Check | None:
    """`"x" is selected in the "Country" dropdown`: what the dropdown is set to."""
    field = place.cut(1) if place.word(0) in ("in", "from") else None
    target = None if field is None else read_target(field)
    if field is None or target is None or target.role != "combobox" or subject.negative:
        return None
    if len(subject.texts) != 1 or subject.place is not None or len(sentence.place):
        return None
    hint, text = field.text, subject.texts[0]
    return check("value", negative=sentence.negative, selector_hint=hint, equals=text)


def element_is(sentence: Sentence, subject: Thing) -> Check | None:
    """`the "Save" button is disabled`, `the "Email" field is "x"`."""
    state = _state(sentence.rest)
    if state is None:
        return element_equals(sentence, subject)
    target = parse_target(subject.hint)
    word = sentence.rest.word(0)
    if word in _OPENINGS and target.role not in _OPENED:
        return None
    if state[0] in _STATES_OF_TEXT:
        return _shown(sentence, subject, state)
    return _in_state(sentence, subject, target, state)


def element_equals(sentence: Sentence, subject: Thing) -> Check | None:
    """`the "Email" field equals "x"`, `the "Country" dropdown is set to "x"`."""
    rest = sentence.rest
    for words in (("set", "to"), ("filled", "with"), ("prefilled", "with"), ("equal", "to")):
        if rest.has(words):
            rest = rest.cut(2)
            break
    if len(rest) != 1 or not is_literal(rest[0]):
        return None
    if parse_target(subject.hint).role == "heading":
        if sentence.negative or len(sentence.place) or subject.negative or not rest[0].text.strip():
            return None
        return check("visible_text", selector_hint=subject.hint, equals=rest[0].text)
    return value_is(sentence, subject, "equals", rest[0].text)


def value_is(sentence: Sentence, subject: Thing, how: str, text: str) -> Check | None:
    """The check of a field's value; None for what is no field."""
    if parse_target(subject.hint).role not in FIELD_ROLES or subject.negative:
        return None
    if how != "equals" and not text:
        return None
    placed = with_place(subject, sentence.place)
    if placed is None:
        return None
    return check("value", negative=sentence.negative, selector_hint=placed.hint, **{how: text})


def _state(rest: Phrase) -> tuple[str, Phrase] | None:
    """The state that begins here and the place behind it; the longest phrase wins."""
    for length in range(min(LONGEST_STATE, len(rest)), 0, -1):
        state = STATES.get(rest.run(0, length))
        if state is not None:
            return state, rest.cut(length)
    placed = rest.run(0, 1) in RELATIONS or rest.run(0, 2) in RELATIONS
    return ("visible", rest) if placed else None


def _shown(sentence: Sentence, subject: Thing, state: tuple[str, Phrase]) -> Check | None:
    name, place = state
    if name == "hidden":
        if subject.negative:
            return None
        if place.word(0) == "from":
            # "removed from the table" says where, as "in the table" does.
            place = _from(place)
        return _present(sentence, subject, place, not sentence.negative)
    return _present(sentence, subject, place, sentence.negative)


def _from(place: Phrase) -> Phrase:
    token = place[0]
    changed = type(token)("word", "in", "in", token.start, token.end)
    return Phrase(place.source, (changed, *place.tokens[1:]))


def _present(sentence: Sentence, subject: Thing, place: Phrase, negative: bool) -> Check | None:
    if len(place) and len(sentence.place):
        return None
    return presence(subject, place if len(place) else sentence.place, negative=negative)


def _in_state(
    sentence: Sentence, subject: Thing, target: Target, state: tuple[str, Phrase]
) -> Check | None:
    """Enabled, checked, empty and the like; a place behind the state belongs to the element."""
    name, place = state
    if name not in _JUDGES or subject.negative or (len(place) and len(sentence.place)):
        return None
    element = Thing("element", sentence.subject.text, target)
    placed = with_place(element, place if len(place) else sentence.place)
    if placed is None:
        return None
    return _JUDGES[name](
        _Asked(placed.hint, sentence.negative, sentence.rest.word(0), name, target)
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A state that an element is said to be in, or not to be in."""

    hint: str
    negative: bool
    word: str
    state: str
    target: Target


def _able(asked: _Asked) -> Check | None:
    role = asked.target.role
    if role is None or (role in TOGGLE_ROLES and asked.word == "enabled"):
        # Of a switch, "enabled" may mean that it is on.
        return None
    disabled = (asked.state == "disabled") != asked.negative
    return check("disabled" if disabled else "enabled", selector_hint=asked.hint)


def _checked(asked: _Asked) -> Check | None:
    if not _can_be(asked.word, asked.target):
        return None
    negative = asked.negative != (asked.state == "unchecked")
    return check("checked", negative=negative, selector_hint=asked.hint)


def _empty(asked: _Asked) -> Check | None:
    role = asked.target.role
    if role in _HOLDING:
        held = f"{_HOLDING[role]} in {asked.hint}"
        return check("count", negative=asked.negative, selector_hint=held, equals=0)
    if role is not None and role not in FIELD_ROLES:
        return None
    return check("value", negative=asked.negative, selector_hint=asked.hint, equals="")


def _readonly(asked: _Asked) -> Check | None:
    return check("attribute", negative=asked.negative, selector_hint=asked.hint, name="readonly")


def _invalid(asked: _Asked) -> Check | None:
    if asked.target.role not in FIELD_ROLES:
        return None
    return check("error_shown", negative=asked.negative, selector_hint=asked.hint)


_JUDGES: Mapping[str, Callable[[_Asked], Check | None]] = {
    "enabled": _able,
    "disabled": _able,
    "checked": _checked,
    "unchecked": _checked,
    "empty": _empty,
    "readonly": _readonly,
    "invalid": _invalid,
}


def _can_be(word: str, target: Target) -> bool:
    """Whether "on" or "selected" is a state of such an element."""
    if word in ("selected", "unselected", "deselected"):
        return target.role in _SELECTED
    if word == "active":
        return target.role == "tab"
    if word in ("checked", "unchecked", "ticked", "unticked"):
        return target.role in (None, *TOGGLE_ROLES)
    return target.role in TOGGLE_ROLES
