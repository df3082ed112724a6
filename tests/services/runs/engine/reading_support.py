"""Intents, targets and checks in the short notation of `reading_list.yaml`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.runs.engine.language.models import (
    AnswerDialog,
    CapturePhrase,
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
from services.runs.engine.language.targets import parse_target

_CLICKS = {("left", 1): "click", ("left", 2): "double-click", ("right", 1): "right-click"}


def target(wanted: Target) -> str:
    """A target: 'literal' or loose words, @role, n:ordinal, in:region, {relation target}."""
    parts = [f"'{wanted.text}'" if wanted.quoted else wanted.text]
    parts.append(f"@{wanted.role}" if wanted.role else "")
    parts.append(f"n:{wanted.ordinal}" if wanted.ordinal is not None else "")
    parts.append(f"in:{wanted.region}" if wanted.region else "")
    parts.extend(f"{{{relation.kind} {target(relation.target)}}}" for relation in wanted.relations)
    return " ".join(part for part in parts if part)


def pairs(values: Pairs) -> str:
    """Values, each with its field."""
    return "; ".join(
        f'"{value.template}"' + (f" -> {target(field)}" if field is not None else "")
        for value, field in values
    )


def _upload(wanted: Upload) -> str:
    file = wanted.file
    parts = [
        "upload",
        f"name={file.name}" if file.name else "",
        f"kind={file.kind}" if file.kind else "",
        f"bytes={file.size_bytes}" if file.size_bytes is not None else "",
        f"-> {target(wanted.field)}" if wanted.field is not None else "",
    ]
    return " ".join(part for part in parts if part)


def _on(wanted: Target | int | None, before: str = " ") -> str:
    if wanted is None:
        return ""
    return before + (str(wanted) if isinstance(wanted, int) else target(wanted))


def intent(wanted: Intent) -> str:
    """One intent."""
    return _WORDS[type(wanted)](wanted)


def _wait(wanted: WaitFor) -> str:
    if wanted.target is not None:
        return f"wait {'gone' if wanted.gone else 'for'} {target(wanted.target)}"
    return "wait" if wanted.seconds is None else f"wait {wanted.seconds:g}s"


def _dialog(wanted: AnswerDialog) -> str:
    text = f' "{wanted.text.template}"' if wanted.text is not None else ""
    return f"dialog {'accept' if wanted.accept else 'dismiss'}{text}"


def _select(wanted: Select) -> str:
    words = ["select", f'"{wanted.option.template}"']
    return " ".join(words) + _on(wanted.field, " from ")


_WORDS: Mapping[type, Callable[[Any], str]] = {
    Open: lambda wanted: f"open {target(wanted.target)}",
    Click: lambda wanted: f"{_CLICKS[wanted.button, wanted.times]} {target(wanted.target)}",
    Fill: lambda wanted: f"fill {pairs(wanted.values)}",
    LogIn: lambda wanted: f"log in {pairs(wanted.values)}",
    Clear: lambda wanted: f"clear {target(wanted.target)}",
    Select: _select,
    Toggle: lambda wanted: f"toggle {wanted.to} {target(wanted.target)}",
    Press: lambda wanted: f"press {wanted.keys}" + _on(wanted.target, " on "),
    Hover: lambda wanted: f"hover {target(wanted.target)}",
    Focus: lambda wanted: f"focus {target(wanted.target)}",
    Scroll: lambda wanted: (
        f"scroll {wanted.to}" if isinstance(wanted.to, str) else "scroll to" + _on(wanted.to)
    ),
    Drag: lambda wanted: f"drag {target(wanted.source)} => {target(wanted.destination)}",
    Upload: _upload,
    WaitFor: _wait,
    Go: lambda wanted: f"go {wanted.to}",
    AnswerDialog: _dialog,
    SwitchTab: lambda wanted: "switch tab" + _on(wanted.target),
    CloseTab: lambda wanted: "close tab" + _on(wanted.target),
    Submit: lambda wanted: "submit" + _on(wanted.target),
    Search: lambda wanted: f'search "{wanted.value.template}"',
}


def check(wanted: Any) -> dict[str, Any]:
    """A check as a mapping; the selector hint as a target under `hint`."""
    shown = dict(wanted.as_dict())
    if "selector_hint" in shown:
        shown["hint"] = target(parse_target(shown.pop("selector_hint")))
    return shown


def capture(wanted: CapturePhrase) -> dict[str, Any]:
    """A capture phrase as a mapping without what is empty."""
    shown: dict[str, Any] = {"kind": wanted.kind}
    if wanted.label is not None:
        shown["label"] = wanted.label
    if wanted.words:
        shown["words"] = list(wanted.words)
    if wanted.target is not None:
        shown["target"] = target(wanted.target)
    return shown
