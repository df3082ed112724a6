"""Readers of what is typed: fill, set, clear, upload, log in, search, submit."""

from __future__ import annotations

from dataclasses import replace

from services.runs.engine.language.clauses import Clause, without_purpose
from services.runs.engine.language.controls import read_set_control
from services.runs.engine.language.files import read_file
from services.runs.engine.language.heads import strip_determiners
from services.runs.engine.language.models import (
    Clear,
    Click,
    Fill,
    Focus,
    Intent,
    LogIn,
    Search,
    Submit,
    Target,
    Upload,
)
from services.runs.engine.language.targets import read_target
from services.runs.engine.language.tokens import Phrase
from services.runs.engine.language.values import (
    is_literal,
    read_assignments,
    read_credentials,
    read_literal,
    read_pairs,
    without_content,
)
from services.runs.engine.language.words import FIELD_ROLES, NO_BEGINNING, NO_VALUES

_WITH = frozenset({"with"})
_TO = frozenset({"to"})


def read_fill(clause: Clause) -> tuple[Intent, ...] | None:
    """`enter V in F and V2 in F2`, `enter V and V2`, `enter F: V`."""
    pairs = read_pairs(clause.rest)
    return None if pairs is None else (Fill(pairs),)


def read_assign(clause: Clause) -> tuple[Intent, ...] | None:
    """`fill F with V and F2 with V2`, or as "enter" does."""
    rest = clause.rest.cut(1) if clause.rest.word(0) in ("in", "out") else clause.rest
    if "with" in rest.words:
        pairs = read_assignments(rest, _WITH)
        return None if pairs is None else (Fill(pairs),)
    return read_fill(replace(clause, rest=rest))


def read_set(clause: Clause) -> tuple[Intent, ...] | None:
    """`set F to V`; a switch is toggled, a dropdown selected."""
    control = read_set_control(clause.rest)
    if control is not None:
        return control
    pairs = read_assignments(clause.rest, _TO)
    if pairs is None or any("from" in clause.rest.words for _ in pairs):
        return None
    return (Fill(pairs),)


def read_replace(clause: Clause) -> tuple[Intent, ...] | None:
    """`replace F with V`."""
    pairs = read_assignments(clause.rest, _WITH)
    return None if pairs is None else (Fill(pairs),)


def read_give(clause: Clause) -> tuple[Intent, ...] | None:
    """`give the board the name "Roadmap"`: the field is what is given."""
    rest = clause.rest
    positions = [index for index in range(1, len(rest)) if rest.word(index) in ("the", "a")]
    if not positions or not is_literal(rest[-1]):
        return None
    if any(token.literal for token in rest.cut(0, positions[-1])):
        return None
    pairs = read_pairs(rest.cut(positions[-1]))
    if pairs is None or len(pairs) != 1 or pairs[0][1] is None:
        return None
    return (Fill(pairs),)


def read_clear(clause: Clause) -> tuple[Intent, ...] | None:
    """Empty a field."""
    target = read_target(without_content(clause.rest))
    if target is None or not (target.quoted or target.role in FIELD_ROLES):
        return None
    return (Clear(target),)


def read_leave(clause: Clause) -> tuple[Intent, ...] | None:
    """`leave F empty` empties it; `leave it empty` asks for nothing beyond what was done."""
    rest = clause.rest
    if rest.word(-1) not in ("empty", "blank"):
        return None
    if rest.words[:-1] == ("it",):
        return (
            () if clause.before and isinstance(clause.before[-1], Focus | Clear | Click) else None
        )
    target = read_target(rest.cut(0, len(rest) - 1))
    return None if target is None else (Clear(target),)


def read_upload(clause: Clause) -> tuple[Intent, ...] | None:
    """`upload FILE to F`; the file may be described ("a 1 KB PNG")."""
    rest = clause.rest
    for position in range(1, len(rest)):
        if rest.word(position) in ("to", "into", "in", "for", "as", "on"):
            file = read_file(rest.cut(0, position))
            field = read_target(rest.cut(position + 1))
            if file is None or field is None:
                return None
            return (Upload(file, None if field.role == "form" and not field.text else field),)
    file = read_file(rest)
    return None if file is None else (Upload(file),)


def read_log_in(clause: Clause) -> tuple[Intent, ...] | None:
    """`log in with V and V2`, `sign in as V with password V2`."""
    rest = clause.rest
    if rest.word(0) == "to":
        leads = [index for index, word in enumerate(rest.words) if word in ("with", "as", "using")]
        if not leads or any(is_literal(token) for token in rest.cut(0, leads[0])):
            return None
        rest = rest.cut(leads[0])
    pairs = read_credentials(rest)
    return None if pairs is None else (LogIn(pairs),)


def read_log_out(clause: Clause) -> tuple[Intent, ...] | None:
    """`log out`, `sign out of the app`: a click on the control of that name."""
    words = strip_determiners(clause.rest.cut(1)).words if clause.rest.word(0) == "of" else ()
    if len(clause.rest) and words not in (("app",), ("application",), ("site",), ("account",)):
        return None
    names = {"log": "Log out", "logs": "Log out", "logout": "Log out", "logouts": "Log out"}
    return (Click(Target(names.get(clause.verb, "Sign out"))),)


def read_sign_up(clause: Clause) -> tuple[Intent, ...] | None:
    """`sign up with V and V2`: the form is filled and submitted."""
    pairs = read_credentials(clause.rest)
    return None if pairs is None else (Fill(pairs), Submit())


def read_search(clause: Clause) -> tuple[Intent, ...] | None:
    """`search for V`."""
    rest = clause.rest
    if rest.word(-1) in ("box", "field", "bar") and rest.word(-2) == "search":
        start = len(rest) - (4 if rest.word(-3) == "the" else 3)
        if start < 1 or rest.word(start) not in ("in", "using"):
            return None
        rest = rest.cut(0, start)
    if not len(rest) or rest.word(0) in NO_BEGINNING or rest.word(0) in NO_VALUES:
        return None
    if any(word in ("in", "by", "on", "for") for word in rest.words):
        return None
    value = read_literal(_without_silent_noun(rest), words=True)
    return None if value is None else (Search(value),)


def _without_silent_noun(rest: Phrase) -> Phrase:
    return rest.cut(1) if len(rest) == 2 and rest[1].literal else rest


def read_submit(clause: Clause) -> tuple[Intent, ...] | None:
    """`submit`, `submit the form`, `submit the sign-up form`, `submit "Save"`."""
    rest = without_purpose(clause.rest)
    if not len(rest):
        return (Submit(),)
    if rest.words == ("it",):
        return (Submit(),) if clause.before else None
    target = read_target(rest)
    if target is None or (target.role not in ("form", "button") and not target.quoted):
        return None
    return (Submit(target),)
