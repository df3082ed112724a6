"""Recordings of Chrome's DevTools Recorder, as it exports them in JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.runs.engine.generating.words import clean
from services.runs.engine.recording.models import MOST, Act, Trace
from services.runs.engine.recording.naming import best, is_secret
from services.runs.engine.recording.posted import keys_of, text_of

_QUIET: Final = {"setViewport", "keyUp", "scroll", "emulateNetworkConditions", "close"}
_HELD: Final = {"Shift", "Control", "Alt", "Meta"}


def is_one(content: Any) -> bool:
    """Tell whether that is such a recording."""
    return isinstance(content, Mapping) and isinstance(content.get("steps"), Sequence)


def read(recording: Mapping[str, Any]) -> Trace:
    """Read a recording; steps that are not understood are left out, with a warning."""
    acts: list[Act] = []
    warnings: list[str] = []
    held: list[str] = []
    steps = recording["steps"]
    for at, step in enumerate(steps[:MOST]):
        read_one = _read(step, held) if isinstance(step, Mapping) else "it is no object"
        if isinstance(read_one, str):
            if read_one:
                warnings.append(f"steps[{at}] is left out: {read_one}")
            continue
        acts.append(read_one)
        acts.extend(_asserted(step))
    if len(steps) > MOST:
        warnings.append(f"only the first {MOST} steps are used")
    return Trace(tuple(acts), clean(text_of(recording.get("title"))), warnings=tuple(warnings))


def _selectors(step: Mapping[str, Any]) -> list[str]:
    """Each is a text, or the way through frames and shadow roots, of which the last counts."""
    found: list[str] = []
    given = step.get("selectors")
    for one in given if isinstance(given, Sequence) and not isinstance(given, str) else []:
        last = one[-1] if isinstance(one, Sequence) and one and not isinstance(one, str) else one
        if isinstance(last, str):
            found.append(last)
    return found[:20]


def _read(step: Mapping[str, Any], held: list[str]) -> Act | str:
    kind = text_of(step.get("type"))
    if kind == "keyUp" and step.get("key") in held:
        held.remove(text_of(step["key"]))
    if kind in _QUIET:
        return ""
    if kind == "keyDown":
        return _key(text_of(step.get("key")), held)
    if kind == "navigate":
        return Act("open", url=text_of(step.get("url")))
    return _on_element(kind, step)


def _on_element(kind: str, step: Mapping[str, Any]) -> Act | str:
    selectors = _selectors(step)
    name = best(selectors)
    if name is None:
        return "nothing says which element it is"
    if kind == "click":
        return Act("right_click" if step.get("button") == "secondary" else "click", name)
    if kind == "doubleClick":
        return Act("double_click", name)
    if kind == "hover":
        return Act("hover", name)
    if kind == "change":
        secret = is_secret(name.text, *selectors)
        return Act("fill", name, text_of(step.get("value")), is_secret=secret)
    if kind == "waitForElement":
        return Act("sees", name, name.text)
    return "its type is unknown"


def _key(key: str, held: list[str]) -> Act | str:
    if key in _HELD:
        if key not in held:
            held.append(key)
        return ""
    # What is typed into a field stands in its change, and so does what Tab leaves.
    typed = len(key) == 1 and not {"Control", "Alt", "Meta"} & set(held)
    if typed or key in ("Tab", "Backspace", "Delete", ""):
        return ""
    keys = keys_of("+".join([*held, key]))
    return Act("press", value=keys) if keys else "it names no key"


def _asserted(step: Mapping[str, Any]) -> list[Act]:
    events = step.get("assertedEvents")
    found: list[Act] = []
    for event in events if isinstance(events, list) else []:
        if isinstance(event, Mapping) and event.get("type") == "navigation":
            url = text_of(event.get("url"))
            if url:
                found.append(Act("arrive", url=url))
    return found
