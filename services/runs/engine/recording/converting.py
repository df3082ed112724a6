"""Recordings to suites (contract 12). Pure; no model is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from pydantic_core import from_json

from services.runs.engine.recording import chrome, codegen, posted
from services.runs.engine.recording.folding import folded
from services.runs.engine.recording.models import MASK, Act, Converted, NothingRecorded, Trace
from services.runs.engine.recording.writing import write

_TYPES: Final = {
    "open": "goto",
    "arrive": "navigate",
    "double_click": "dblclick",
    "right_click": "rightclick",
    "sees": "assert",
    "says": "assert",
    "at": "assert",
}


def convert(actions: Any, base_url: str = "", title: str = "") -> Converted:
    """Make a suite of a recording.

    Args:
        actions: a list as of contract 3.9, a recording of Chrome's DevTools Recorder (as an object
            or its text), or a program of Playwright's codegen.
        base_url: of the application; empty: the first address that was opened.
        title: of the suite; empty: the recording's own.

    Raises:
        NothingRecorded: nothing in it can be carried out.
    """
    trace = read(actions)
    origin = origin_of(base_url) or origin_of(trace.base_url) or _first_origin(trace.acts)
    if not origin:
        raise NothingRecorded("base_url must name the application: nothing in actions does")
    acts = [_placed(act, base_url or origin) for act in trace.acts]
    acts = folded(acts)
    text, used, more = write(acts, origin, title or trace.title or "Recorded")
    kept = tuple(_shown(act) for act in used)
    return Converted(text, kept, (*trace.warnings, *more))


def read(actions: Any) -> Trace:
    """Read a recording of any of the three kinds.

    Raises:
        NothingRecorded: it is none of them.
    """
    if isinstance(actions, str):
        text = actions.strip()
        if not text.startswith(("{", "[")):
            return codegen.read(text)
        try:
            actions = from_json(text)
        except ValueError:
            return codegen.read(text)
    if isinstance(actions, list) and len(actions) == 1 and chrome.is_one(actions[0]):
        actions = actions[0]
    if isinstance(actions, Mapping) and chrome.is_one(actions):
        return chrome.read(actions)
    if isinstance(actions, Sequence):
        return posted.read(actions)
    raise NothingRecorded(
        "actions must be a list of actions, a recording of Chrome's Recorder, or what "
        "playwright codegen writes"
    )


def origin_of(url: str) -> str:
    """Give scheme, host and port of an address; empty if it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or "$" in parts.netloc:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme.lower()}://{host}" + (f":{port}" if port else "")


def _first_origin(acts: Sequence[Act]) -> str:
    return next((origin_of(act.url) for act in acts if origin_of(act.url)), "")


def _placed(act: Act, base: str) -> Act:
    """Give an act whose address is whole."""
    if not act.url:
        return act
    try:
        url = urljoin(base, act.url)
    except ValueError:
        url = ""
    return Act(act.kind, act.name, act.value, url, act.is_secret)


def _shown(act: Act) -> Mapping[str, Any]:
    shown: dict[str, Any] = {"type": _TYPES.get(act.kind, act.kind)}
    if act.name is not None:
        shown["text"] = act.name.text
    if act.value:
        shown["value"] = MASK if act.is_secret else act.value
    if act.url:
        shown["url"] = act.url
    return shown
