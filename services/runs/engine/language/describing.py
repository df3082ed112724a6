"""Intents and targets back into words, for logs and reports.

The words are templates as the intents are: no value stands in them unless it was put in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.runs.engine.language.models import (
    AnswerDialog,
    Clear,
    Click,
    CloseTab,
    Drag,
    Fill,
    Focus,
    Go,
    Hover,
    Intent,
    LogIn,
    Open,
    Pairs,
    Press,
    Scroll,
    Search,
    Select,
    Submit,
    SwitchTab,
    Target,
    Toggle,
    Upload,
    WaitFor,
)

_TOGGLES = {"on": "Tick", "off": "Untick", "flip": "Toggle"}
_CLICKS = {("left", 1): "Click", ("left", 2): "Double-click", ("right", 1): "Right-click"}
_MOVES = {"back": "Go back", "forward": "Go forward", "reload": "Reload the page"}
_RELATIONS = {"next_to": "next to", "row": "in the row with"}


def describe(intent: Intent) -> str:
    """One line of English for an intent, e.g. `Click 'Save' button in the header`."""
    return _SENTENCES[type(intent)](intent)


def describe_target(target: Target) -> str:
    """A target in English, e.g. `2nd 'Delete' button in the row with 'Bob'`."""
    parts = [
        "" if target.ordinal is None else _ordinal(target.ordinal),
        f"'{target.text}'" if target.quoted else target.text,
        target.role or "",
    ]
    parts.extend(
        f"{_RELATIONS.get(relation.kind, relation.kind)} {describe_target(relation.target)}"
        for relation in target.relations
    )
    if target.region is not None:
        parts.append(f"in the {target.region}" if any(parts) else f"the {target.region}")
    return " ".join(part for part in parts if part)


def _where(word: str, target: Target | None) -> str:
    return "" if target is None else f" {word} {describe_target(target)}"


def _click(intent: Click) -> str:
    verb = _CLICKS.get((intent.button, intent.times), "Click")
    return f"{verb} {describe_target(intent.target)}"


def _scroll(intent: Scroll) -> str:
    if isinstance(intent.to, Target):
        return f"Scroll to {describe_target(intent.to)}"
    return f"Scroll to the {intent.to}" if intent.to in ("top", "bottom") else f"Scroll {intent.to}"


def _wait(intent: WaitFor) -> str:
    if intent.target is not None:
        state = "is gone" if intent.gone else "is shown"
        return f"Wait until {describe_target(intent.target)} {state}"
    return "Wait for the page" if intent.seconds is None else f"Wait {intent.seconds:g} seconds"


def _answer(intent: AnswerDialog) -> str:
    text = f' with "{intent.text.template}"' if intent.text is not None else ""
    return f"{'Accept' if intent.accept else 'Dismiss'} the dialog{text}"


def _submit(intent: Submit) -> str:
    return f"Submit {'the form' if intent.target is None else describe_target(intent.target)}"


def _pairs(values: Pairs) -> str:
    return " and ".join(
        f'"{value.template}"' + (f" into {describe_target(field)}" if field is not None else "")
        for value, field in values
    )


def _tab(tab: Target | int) -> str:
    if isinstance(tab, Target):
        return describe_target(tab)
    return "the newest tab" if tab == -1 else f"tab {tab}"


def _ordinal(ordinal: int) -> str:
    if ordinal == -1:
        return "last"
    endings = {1: "st", 2: "nd", 3: "rd"}
    teen = ordinal % 100 in (11, 12, 13)
    return f"{ordinal}{'th' if teen else endings.get(ordinal % 10, 'th')}"


_SENTENCES: Mapping[type, Callable[[Any], str]] = {
    Open: lambda intent: f"Open {describe_target(intent.target)}",
    Click: _click,
    Fill: lambda intent: f"Enter {_pairs(intent.values)}",
    LogIn: lambda intent: f"Log in with {_pairs(intent.values)}",
    Clear: lambda intent: f"Clear {describe_target(intent.target)}",
    Select: lambda intent: f'Pick "{intent.option.template}"' + _where("from", intent.field),
    Toggle: lambda intent: f"{_TOGGLES[intent.to]} {describe_target(intent.target)}",
    Press: lambda intent: f"Press {intent.keys}" + _where("in", intent.target),
    Hover: lambda intent: f"Hover over {describe_target(intent.target)}",
    Focus: lambda intent: f"Focus {describe_target(intent.target)}",
    Search: lambda intent: f'Search for "{intent.value.template}"',
    Submit: _submit,
    Scroll: _scroll,
    Drag: lambda intent: (
        f"Drag {describe_target(intent.source)}" + _where("to", intent.destination)
    ),
    Upload: lambda intent: f"Upload {intent.file.description}" + _where("to", intent.field),
    WaitFor: _wait,
    Go: lambda intent: _MOVES[intent.to],
    AnswerDialog: _answer,
    SwitchTab: lambda intent: f"Switch to {_tab(intent.target)}",
    CloseTab: lambda intent: f"Close {'the tab' if intent.target is None else _tab(intent.target)}",
}
