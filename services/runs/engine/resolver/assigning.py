"""Which value goes into which field: "Enter A and B" (contract section 5.4).

A value knows where it comes from. Fields that a step names come first, then the variable's words
against the fields' own, then types; what is left fills the empty fields of the form in order, and
must come out even.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from services.runs.engine.resolver import words
from services.runs.engine.resolver.choosing import choose
from services.runs.engine.resolver.models import (
    MOST_SHOWN,
    Absent,
    Ambiguous,
    Candidate,
    Choice,
    Entry,
    Scored,
    Unassignable,
    Wanted,
)
from services.runs.engine.resolver.places import key

Pairs = tuple[tuple[Entry, Candidate], ...]

_TYPED: Final = frozenset({"textbox", "searchbox", "spinbutton", "combobox"})
_AGAIN: Final = frozenset(
    ("confirm", "confirmation", "repeat", "again", "verify", "retype", "reenter", "second")
)
_SOURCES: Final = ("labelledby", "aria", "label", "placeholder", "title", "name", "id", "test_id")
_GENERATORS: Final = {
    "password": "password",
    "unique_email": "email",
    "phone": "tel",
    "date": "date",
    "number": "number",
}
_WORDS: Final = (
    ("password", frozenset({"password", "passwd", "pwd", "passphrase"})),
    ("email", frozenset({"email", "mail"})),
    ("tel", frozenset({"phone", "telephone", "mobile"})),
    ("date", frozenset({"date", "birthday", "birthdate"})),
    ("number", frozenset({"number", "amount", "quantity", "age"})),
)
_SHAPES: Final = (
    ("email", re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")),
    ("date", re.compile(r"\d{4}-\d{2}-\d{2}")),
    ("number", re.compile(r"-?\d+([.,]\d+)?")),
    ("tel", re.compile(r"\+?[\d ()/-]{6,}")),
)


@dataclass(slots=True)
class _Work:
    """What is assigned so far. ``fields`` are those of the form, in page order."""

    fields: list[Candidate]
    pairs: list[tuple[Entry, Candidate]] = field(default_factory=list)

    @property
    def free(self) -> list[Candidate]:
        taken = {key(candidate) for _, candidate in self.pairs}
        return [each for each in self.fields if key(each) not in taken]

    def open_of(self, entries: Sequence[Entry]) -> list[Entry]:
        done = {id(entry) for entry, _ in self.pairs}
        return [each for each in entries if id(each) not in done]


def assign_values(
    entries: Sequence[Entry], candidates: Sequence[Candidate], last_form: str | None = None
) -> Pairs | Unassignable:
    """Assign values to fields.

    Args:
        entries: the values, in the step's order.
        candidates: of one reading.
        last_form: form of the action before.

    Returns:
        Pairs in the order of the entries, a value and its repetition one after the other; or why
        there are none.
    """
    work = _Work(_form_fields(entries, candidates, last_form))
    failure = _by_name(work, entries, candidates, last_form)
    if failure is not None:
        return failure
    for how in (_by_variable, _by_type):
        for entry in work.open_of(entries):
            failure = how(work, entry)
            if failure is not None:
                return failure
    failure = _in_order(work, entries)
    if failure is not None:
        return failure
    place = {id(entry): number for number, entry in enumerate(entries)}
    return tuple(sorted(work.pairs, key=lambda pair: (place[id(pair[0])], pair[1].order)))


def _by_name(
    work: _Work,
    entries: Sequence[Entry],
    candidates: Sequence[Candidate],
    last_form: str | None,
) -> Unassignable | None:
    for entry in entries:
        if entry.field is None:
            continue
        taken = {key(candidate) for _, candidate in work.pairs}
        left = [each for each in candidates if key(each) not in taken]
        found = choose(left, Wanted(entry.field, "fill", last_form))
        if isinstance(found, Choice):
            work.pairs.append((entry, found.candidate))
        elif isinstance(found, Ambiguous):
            return Unassignable("ambiguous", "several fields would do", found.candidates)
        else:
            return _absent(found)
    return None


def _absent(found: Absent) -> Unassignable:
    why = "the field is disabled" if found.disabled else "no such field"
    return Unassignable("not_found", why, found.candidates)


def _by_variable(work: _Work, entry: Entry) -> Unassignable | None:
    """Match the variable's own words: ``${first_name}`` with "First name"."""
    wanted = words.parts(entry.value.variable or "")
    if not wanted:
        return None
    # The value's type speaks through type rules: here ``password`` would pick any of two.
    ranked = [(len(wanted & _tokens(each)) / len(wanted), each) for each in work.free]
    best = max((share for share, _ in ranked), default=0.0)
    if best < 0.5:
        return None
    return _take(work, entry, [each for share, each in ranked if share == best], strict=best == 1)


def _by_type(work: _Work, entry: Entry) -> Unassignable | None:
    kind = _type_of(entry)
    if not kind:
        return None
    found = [each for each in work.free if _is_of_type(each, kind)]
    return _take(work, entry, found, strict=kind == "password")


def _take(
    work: _Work, entry: Entry, found: list[Candidate], *, strict: bool
) -> Unassignable | None:
    """Take the one field that fits, or that and the one that asks for the same again."""
    firsts = [each for each in found if not _tokens(each) & _AGAIN]
    again = [each for each in found if _tokens(each) & _AGAIN]
    if len(firsts) == 1 and len(again) <= 1:
        work.pairs.append((entry, firsts[0]))
        kind = _type_of(entry)
        if not again and kind:
            again = [
                each for each in work.free if _tokens(each) & _AGAIN and _is_of_type(each, kind)
            ]
        if len(again) == 1:
            work.pairs.append((entry, again[0]))
        return None
    if strict and len(firsts) > 1 and _type_of(entry) == "password":
        return Unassignable("ambiguous", "several fields take this value", _shown(found))
    return None


def _in_order(work: _Work, entries: Sequence[Entry]) -> Unassignable | None:
    left = work.open_of(entries)
    if not left:
        return None
    empty = [each for each in work.free if not each.value]
    if len(left) != len(empty):
        message = f"{len(left)} values are left for {len(empty)} empty fields"
        return Unassignable("ambiguous" if empty else "not_found", message, _shown(empty))
    work.pairs.extend(zip(left, empty, strict=True))
    return None


def _shown(fields: Sequence[Candidate]) -> tuple[Scored, ...]:
    return tuple(Scored(each, 0.0) for each in fields[:MOST_SHOWN])


def _form_fields(
    entries: Sequence[Entry], candidates: Sequence[Candidate], last_form: str | None
) -> list[Candidate]:
    """Give the fields of the focused or main form, in page order."""
    usable = sorted(
        (
            each
            for each in candidates
            if each.role in _TYPED and each.visible and each.enabled and each.editable
        ),
        key=lambda each: (each.order, key(each)),
    )
    in_dialog = [each for each in usable if each.in_top_dialog]
    usable = in_dialog or usable
    focused = next((each for each in usable if each.focused and each.role != "searchbox"), None)
    if focused is not None:
        return _of_form(usable, focused)
    before = next((each for each in usable if last_form and each.form == last_form), None)
    if before is not None:
        return _of_form(usable, before)
    wants_password = any(_type_of(entry) == "password" for entry in entries)

    def worth(form: tuple[int, str]) -> tuple[bool, bool, bool, int]:
        inside = [each for each in usable if (each.frame, each.form) == form]
        return (
            wants_password and any(each.input_type == "password" for each in inside),
            not all(each.role == "searchbox" for each in inside),
            any("main" in each.landmark.split() for each in inside),
            len(inside),
        )

    forms = Counter((each.frame, each.form) for each in usable)
    if not forms:
        return []
    ranked = sorted(((worth(form), form) for form in forms), reverse=True)
    best = ranked[0][1]
    return [each for each in usable if (each.frame, each.form) == best]


def _of_form(fields: Sequence[Candidate], one: Candidate) -> list[Candidate]:
    return [each for each in fields if (each.frame, each.form) == (one.frame, one.form)]


def _tokens(candidate: Candidate) -> frozenset[str]:
    found: set[str] = set(words.tokens(candidate.name))
    for source in _SOURCES:
        text = candidate.name_sources.get(source)
        if text:
            written = source in ("name", "id", "test_id")
            found.update(words.parts(text) if written else words.tokens(text))
    found.update(words.parts(candidate.autocomplete))
    if not candidate.name:
        found.update(words.tokens(candidate.neighbour))
    return frozenset(found)


def _type_of(entry: Entry) -> str:
    if entry.generator in _GENERATORS:
        return _GENERATORS[entry.generator]
    named = words.parts(entry.value.variable or "")
    for kind, tokens in _WORDS:
        if named & tokens:
            return kind
    for kind, shape in _SHAPES:
        if shape.fullmatch(entry.text.strip()):
            return kind
    return ""


def _is_of_type(candidate: Candidate, kind: str) -> bool:
    if kind == "password":
        return candidate.input_type == "password"
    if candidate.input_type == "password":
        return False
    if candidate.input_type == kind:
        return True
    tokens = _tokens(candidate)
    if kind == "email":
        return bool(tokens & {"email", "mail", "username"}) or candidate.autocomplete in (
            "email",
            "username",
        )
    return bool(tokens & dict(_WORDS)[kind])
