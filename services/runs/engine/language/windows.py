"""Readers of waiting, history and tabs."""

from __future__ import annotations

from services.runs.engine.language.clauses import Clause, take_times
from services.runs.engine.language.heads import number_of, ordinal_of, strip_determiners
from services.runs.engine.language.models import (
    Click,
    CloseTab,
    Go,
    Intent,
    Relation,
    SwitchTab,
    Target,
    WaitFor,
)
from services.runs.engine.language.targets import read_target
from services.runs.engine.language.tokens import Phrase
from services.runs.engine.language.words import phrases

_UNITS = {
    "s": 1.0,
    "sec": 1.0,
    "secs": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "ms": 0.001,
    "millisecond": 0.001,
    "milliseconds": 0.001,
    "minute": 60.0,
    "minutes": 60.0,
}
_LONGEST_WAIT = 600.0
_APPEARING = phrases(
    "to appear,appears,appear,is visible,to be visible,is shown,to be shown,"
    "is displayed,to be displayed,to show up,shows up,to show,to load,loads,is loaded"
)
_VANISHING = phrases(
    "to disappear,disappears,disappear,is gone,to be gone,is hidden,to be hidden,"
    "to vanish,vanishes,to go away,goes away,to close,closes,is not visible,"
    "is not shown,is no longer visible,is no longer shown"
)
_LOADED = phrases(
    "page to load,page loads,page is loaded,page to finish loading,page has loaded,"
    "page to be loaded,page load,page"
)
_TEXT_NOUNS = frozenset({"text", "message", "the", "toast", "notification"})
_MOVES = frozenset({(), ("page",), ("previous", "page"), ("browser",), ("in", "browser")})


def read_wait(clause: Clause) -> tuple[Intent, ...] | None:
    """`wait 3 seconds`, `wait for T`, `wait until T disappears`, `wait for the page to load`."""
    rest = clause.rest
    seconds = _seconds(rest.cut(1) if rest.word(0) == "for" else rest)
    if seconds is not None:
        return (WaitFor(seconds=seconds),)
    if rest.word(0) not in ("for", "until"):
        return None
    until = rest.word(0) == "until"
    rest = strip_determiners(rest.cut(1))
    if " ".join(rest.words) in _LOADED:
        return (WaitFor(),)
    if rest.words in (("navigation",), ("download",)):
        return None
    for length in (4, 3, 2, 1):
        ending = " ".join(rest.words[len(rest) - length :]) if len(rest) > length else ""
        if ending in _APPEARING or ending in _VANISHING:
            target = read_target(rest.cut(0, len(rest) - length), hint=True)
            return None if target is None else (WaitFor(target, gone=ending in _VANISHING),)
    if not until and len(rest) > 1 and set(rest.words) <= _TEXT_NOUNS | {""}:
        literals = [token for token in rest if token.literal]
        if len(literals) == 1 and literals[0].text.strip():
            return (WaitFor(Target(literals[0].text.strip(), True)),)
    target = None if until else read_target(rest, hint=True)
    return None if target is None else (WaitFor(target),)


def _seconds(rest: Phrase) -> float | None:
    """A time in seconds: `3 seconds`, `500 ms`, `2s`, `a second`."""
    words = rest.words
    if len(words) == 1:
        number = words[0].rstrip("abcdefghijklmnopqrstuvwxyz")
        words = (number, words[0][len(number) :])
    if len(words) != 2 or words[1] not in _UNITS:
        return None
    whole = 1 if words[0] in ("a", "an") else number_of(words[0])
    if whole is None:
        parts = words[0].split(".")
        if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
            return None
        amount = float(words[0][:20])
    else:
        amount = float(whole)
    seconds = amount * _UNITS[words[1]]
    return seconds if seconds <= _LONGEST_WAIT else None


def read_back(clause: Clause) -> tuple[Intent, ...] | None:
    """Back in the history, perhaps several times."""
    rest, times = take_times(clause.rest)
    if rest.word(0) == "to":
        rest = rest.cut(1)
        if not len(rest):
            return None
    return (Go("back"),) * times if _is_move(rest) else None


def read_forward(clause: Clause) -> tuple[Intent, ...] | None:
    """Forward in the history."""
    return (Go("forward"),) if _is_move(clause.rest) else None


def read_reload(clause: Clause) -> tuple[Intent, ...] | None:
    """Load the page again."""
    return (Go("reload"),) if _is_move(clause.rest) else None


def _is_move(rest: Phrase) -> bool:
    words = tuple(word for word in rest.words if word not in ("the", "this", "current"))
    return words in _MOVES and all(token.kind == "word" for token in rest)


def read_switch_tab(clause: Clause) -> tuple[Intent, ...] | None:
    """Another tab of the browser, by number, order or title."""
    tab = _tab(clause.rest)
    return None if tab is None else (SwitchTab(tab),)


def _tab(rest: Phrase) -> Target | int | None:
    words = strip_determiners(rest.without(frozenset({"browser"}))).words
    if words in (("new", "tab"), ("new", "window"), ("newest", "tab"), ("other", "tab")):
        return -1
    if len(words) == 2 and words[1] in ("tab", "window"):
        ordinal = ordinal_of(words[0])
        if ordinal is not None:
            return ordinal
    if len(words) == 2 and words[0] in ("tab", "window"):
        number = number_of(words[1].removeprefix("#"))
        if number:
            return number
    target = read_target(rest.without(frozenset({"browser"})))
    return target if target is not None and target.role == "tab" and target.text else None


def read_close(clause: Clause) -> tuple[Intent, ...] | None:
    """Close a tab; a dialog or banner is closed by its own control of that name."""
    rest = clause.rest
    words = strip_determiners(rest.without(frozenset({"browser", "current"}))).words
    if words in (("tab",), ("window",)):
        return (CloseTab(),)
    tab = _tab(rest)
    if tab is not None:
        return (CloseTab(tab),)
    target = read_target(rest)
    if target is None or target.role not in ("dialog", "alert"):
        return None
    if target.role == "dialog" and not target.text and not target.relations:
        return (Click(Target("close", region="dialog")),)
    return (Click(Target("close", relations=(Relation("in", target),))),)
