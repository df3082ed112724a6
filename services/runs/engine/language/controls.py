"""Readers of what is chosen: select, toggle, and the browser's own dialogs."""

from __future__ import annotations

from dataclasses import replace

from services.runs.engine.language.clauses import Clause, without_purpose
from services.runs.engine.language.heads import strip_determiners
from services.runs.engine.language.keys import read_keys
from services.runs.engine.language.models import (
    AnswerDialog,
    Click,
    Intent,
    Press,
    Relation,
    Select,
    Target,
    Toggle,
)
from services.runs.engine.language.pointing import read_clicked
from services.runs.engine.language.targets import read_target
from services.runs.engine.language.tokens import Phrase
from services.runs.engine.language.values import read_literal, read_option
from services.runs.engine.language.words import CLICKED_ROLES, FIELD_ROLES, TOGGLE_ROLES

_FROM = frozenset({"from", "in", "for", "under", "as"})
# "Choose file" opens a window of the browser: "upload" is the verb for files.
_FILES = frozenset({"file", "files"})
_CHOICES = FIELD_ROLES | {None, "list", "menu", "section"}
_DIALOGS = frozenset({"dialog", "alert", "prompt", "popup", "confirm", "confirmation"})
# Accepted by a tick; "accept the cookies" is a button.
_TERMS = frozenset(
    tuple(words.split())
    for words in (
        "terms",
        "conditions",
        "terms and conditions",
        "terms of service",
        "terms of use",
        "privacy policy",
    )
)
_STATES = {"on": "on", "off": "off", "checked": "on", "unchecked": "off"}


def read_select(clause: Clause) -> tuple[Intent, ...] | None:
    """`select O from F`; without a field, what O is decides: a tab is clicked, a radio set."""
    rest = without_purpose(clause.rest)
    if _FILES & set(rest.words):
        return None
    target = read_target(rest)
    if target is not None and target.role in TOGGLE_ROLES:
        return (Toggle(target, "on"),)
    if target is not None and target.role in CLICKED_ROLES and _selects_whole(rest, target):
        return (Click(target),)
    chosen = _option_and_field(rest)
    if chosen is not None:
        return chosen
    option = read_option(rest)
    return None if option is None else (Select(option),)


def _selects_whole(rest: Phrase, target: Target) -> bool:
    """Whether the phrase names an element, not an option "from" a field."""
    return "from" not in rest.words and bool(target.text or target.ordinal or target.relations)


def _option_and_field(rest: Phrase) -> tuple[Intent, ...] | None:
    for position in range(len(rest) - 1, 0, -1):
        if rest.word(position) not in _FROM:
            continue
        option = read_option(rest.cut(0, position))
        field = read_target(rest.cut(position + 1)) if option is not None else None
        if option is not None and field == Target("", role="menu"):
            # The open one: what stands in it is clicked.
            named = Target(option.template, True, relations=(Relation("in", field),))
            return (Click(named),)
        if option is not None and field is not None and field.role in _CHOICES:
            return (Select(option, field),)
    return None


def read_choose(clause: Clause) -> tuple[Intent, ...] | None:
    """`choose O from F` selects; `choose T` clicks (contract 5.1)."""
    rest = without_purpose(clause.rest)
    if _FILES & set(rest.words):
        return None
    target = read_target(rest)
    if target is not None and target.role in TOGGLE_ROLES:
        return (Toggle(target, "on"),)
    chosen = _option_and_field(rest) if target is None or target.role is None else None
    if chosen is not None:
        return chosen
    clicked = read_clicked(rest)
    return None if clicked is None else (Click(clicked),)


def read_filter(clause: Clause) -> tuple[Intent, ...] | None:
    """`filter by status "Active" in the Status dropdown`: only with the field it is chosen in."""
    chosen = _option_and_field(clause.rest)
    if chosen is None or not isinstance(chosen[0], Select) or chosen[0].field is None:
        return None
    return chosen if chosen[0].field.role in FIELD_ROLES else None


def read_toggle_on(clause: Clause) -> tuple[Intent, ...] | None:
    """Tick, turn on."""
    return _toggle(clause.rest, "on")


def read_toggle_off(clause: Clause) -> tuple[Intent, ...] | None:
    """Uncheck, turn off."""
    return _toggle(clause.rest, "off")


def read_toggle(clause: Clause) -> tuple[Intent, ...] | None:
    """Toggle: the other state, whichever it is."""
    return _toggle(clause.rest, "flip")


def read_check(clause: Clause) -> tuple[Intent, ...] | None:
    """Check, enable: only what is quoted or said to be a checkbox or switch."""
    return _certain_toggle(clause.rest, "on")


def read_uncheck(clause: Clause) -> tuple[Intent, ...] | None:
    """Disable: only what is quoted or said to be a checkbox or switch."""
    return _certain_toggle(clause.rest, "off")


def _certain_toggle(rest: Phrase, to: str) -> tuple[Intent, ...] | None:
    read = _toggle(rest, to)
    if read is None or not isinstance(read[0], Toggle):
        return None
    target = read[0].target
    return read if target.quoted or target.role in TOGGLE_ROLES else None


def _toggle(rest: Phrase, to: str) -> tuple[Intent, ...] | None:
    rest = without_purpose(rest)
    if strip_determiners(rest).words == ("box",):
        return (Toggle(Target("", role="checkbox"), to),)
    target = read_target(rest)
    if target is not None and target == Target("", role="alert"):
        # "Turn off notifications": the word is the name here, not the kind of element.
        target = replace(target, text=strip_determiners(rest).text, role=None)
    if target is None or target.role not in (None, *TOGGLE_ROLES, "option", "field"):
        return None
    return (Toggle(target, to),)


def read_turn(clause: Clause) -> tuple[Intent, ...] | None:
    """`turn "Dark mode" on`."""
    rest = clause.rest
    if rest.word(-1) not in ("on", "off"):
        return None
    return _toggle(rest.cut(0, len(rest) - 1), rest.word(-1))


def read_set_control(rest: Phrase) -> tuple[Intent, ...] | None:
    """`set the "Dark mode" switch to on`, `set the "Country" dropdown to "Germany"`."""
    if "to" not in rest.words:
        return None
    position = rest.words.index("to")
    target, behind = read_target(rest.cut(0, position)), rest.cut(position + 1)
    if target is None:
        return None
    if target.role in TOGGLE_ROLES:
        state = _STATES.get(" ".join(behind.words))
        return None if state is None else (Toggle(target, state),)
    option = read_option(behind) if target.role == "combobox" else None
    return None if option is None else (Select(option, target),)


def read_accept(clause: Clause) -> tuple[Intent, ...] | None:
    """Accept the browser's dialog, perhaps with a text; `accept the "Terms" checkbox` ticks it."""
    answered = _answer(clause.rest, accept=True)
    if answered is not None:
        return answered
    if strip_determiners(clause.rest).words in _TERMS:
        return (Toggle(Target(strip_determiners(clause.rest).text), "on"),)
    target = read_target(clause.rest)
    if target is None or target.role != "checkbox":
        return None
    return (Toggle(target, "on"),)


def read_dismiss(clause: Clause) -> tuple[Intent, ...] | None:
    """Dismiss or cancel the browser's dialog."""
    return _answer(clause.rest, accept=False)


def read_confirm(clause: Clause) -> tuple[Intent, ...] | None:
    """Confirm the browser's dialog, or `confirm with Enter`."""
    if clause.rest.word(0) == "with":
        found = read_keys(clause.rest.cut(1))
        if found is None or found[1] != len(clause.rest) - 1:
            return None
        return (Press(found[0]),)
    return _answer(clause.rest, accept=True)


def _answer(rest: Phrase, *, accept: bool) -> tuple[Intent, ...] | None:
    rest = strip_determiners(rest)
    words = 0
    while rest.word(words) in _DIALOGS or (not words and rest.word(0) in ("browser", "js")):
        words += 1
    if not words or rest.word(words - 1) not in _DIALOGS:
        return None
    behind = rest.cut(words)
    if behind.words in (("box",), ("window",)):
        behind = behind.cut(1)
    if not len(behind):
        return (AnswerDialog(accept),)
    if behind.word(0) not in ("with", "by") or not accept:
        return None
    value = read_literal(behind.cut(1), words=False)
    return None if value is None else (AnswerDialog(True, value),)
