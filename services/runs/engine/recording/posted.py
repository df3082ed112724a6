"""Actions as clients post them (contract 3.9): ``{type,selector?,value?,url?,text?}``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.runs.engine.generating.words import clean
from services.runs.engine.recording.models import MOST, Act, Kind, Name, Trace
from services.runs.engine.recording.naming import best, is_secret

LONGEST_VALUE: Final = 5000

_KINDS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(("goto", "open", "visit", "load"), "open"),
    **dict.fromkeys(("navigate", "navigation", "navigated", "url"), "arrive"),
    **dict.fromkeys(("click", "tap", "mousedown", "submit"), "click"),
    **dict.fromkeys(("dblclick", "doubleclick", "double_click"), "double_click"),
    **dict.fromkeys(("rightclick", "right_click", "contextmenu"), "right_click"),
    **dict.fromkeys(("fill", "type", "input", "change", "enter"), "fill"),
    **dict.fromkeys(("select", "selectoption", "select_option", "choose"), "select"),
    **dict.fromkeys(("check", "tick"), "check"),
    **dict.fromkeys(("uncheck", "untick"), "uncheck"),
    **dict.fromkeys(("press", "key", "keydown", "keypress"), "press"),
    **dict.fromkeys(("hover", "mouseover"), "hover"),
    **dict.fromkeys(("back", "goback", "go_back"), "back"),
    **dict.fromkeys(("forward", "goforward", "go_forward"), "forward"),
    **dict.fromkeys(("reload", "refresh"), "reload"),
    **dict.fromkeys(("heading", "h1"), "heading"),
    **dict.fromkeys(("assert", "expect", "assert_text", "asserttext"), "sees"),
}
_ALONE: Final = ("press", "back", "forward", "reload", "open", "arrive", "heading", "sees")
MODIFIERS: Final = {
    "ctrl": "Control",
    "control": "Control",
    "meta": "Meta",
    "cmd": "Meta",
    "alt": "Alt",
    "shift": "Shift",
}


def read(actions: Sequence[Any]) -> Trace:
    """Read them; what is not understood is left out, with a warning."""
    acts: list[Act] = []
    warnings: list[str] = []
    for at, action in enumerate(actions[:MOST]):
        read_one = _read(action)
        if isinstance(read_one, str):
            warnings.append(f"actions[{at}] is left out: {read_one}")
        else:
            acts.append(read_one)
    if len(actions) > MOST:
        warnings.append(f"only the first {MOST} actions are used")
    return Trace(tuple(acts), warnings=tuple(warnings))


def text_of(value: Any) -> str:
    """Give what somebody wrote where a text is expected."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:LONGEST_VALUE] if isinstance(value, str | int | float) else ""


def _read(action: Any) -> Act | str:
    if not isinstance(action, Mapping):
        return "it is no object"
    kind = _KINDS.get(text_of(action.get("type")).strip().lower())
    if kind is None:
        return "its type is unknown"
    given = action.get("selector")
    listed = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    selectors = [one for one in listed if isinstance(one, str)]
    text, value = clean(text_of(action.get("text"))), text_of(action.get("value"))
    name = _name(kind, selectors, text, action)
    if name is None and kind not in _ALONE:
        return "nothing says which element it is"
    url = text_of(action.get("url"))
    if kind in ("open", "arrive"):
        return Act(kind, url=url or value) if url or value else "it has no url"
    if kind in ("heading", "sees"):
        return Act(kind, value=text or clean(value), url=url)
    if kind == "press":
        value = keys_of(value or text)
        return Act(kind, name, value, url) if value else "it names no key"
    secret = action.get("secret") is True or is_secret(*selectors, text, name.text if name else "")
    if kind == "select":
        return Act(kind, name, value or text, url)
    return Act(kind, name, value if kind == "fill" else "", url, secret and kind == "fill")


def _name(
    kind: Kind, selectors: Sequence[str], text: str, action: Mapping[str, Any]
) -> Name | None:
    role = text_of(action.get("role"))
    called = clean(text_of(action.get("name")) or text_of(action.get("label")))
    if called:
        return Name(called, role)
    found = best(selectors)
    # What a person reads on an element is a better name than its id.
    if text and kind in ("click", "double_click", "right_click", "hover", "check", "uncheck"):
        return Name(text, found.role if found else role)
    if text and found is None:
        return Name(text, role)
    return found


def keys_of(text: str) -> str:
    """Give keys as steps name them (``Control+A``); empty where that is no key."""
    *held, key = [part.strip() for part in text.strip().split("+")] or [""]
    if not key or not key.isascii() or not key.isprintable() or " " in key or len(key) > 20:
        return ""
    names = [MODIFIERS.get(one.lower(), "") for one in held]
    if not all(names) or not (key.isalnum()):
        return ""
    key = key.upper() if len(key) == 1 else key[0].upper() + key[1:]
    return "+".join([*names, key])
