"""The list that ``/todo`` keeps in a session's memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from services.agents.providers.rules.texts import shortened, storable

KEY: Final = "todo"
MOST: Final = 100
LONGEST: Final = 500

USAGE: Final = (
    "Use /todo add <text>, /todo list, /todo done <number> or /todo update <number> <text>."
)

_NUMBERED: Final = re.compile(r"#?([0-9]{1,6})(?:\s+(.+))?", re.DOTALL)

Items = list[dict[str, Any]]


def todo(words: str, memory: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Do what stands after ``/todo``; give what is answered, and the memory afterwards."""
    items = _items(memory)
    verb, _, rest = words.strip().partition(" ")
    rest = rest.strip()
    match verb.casefold():
        case "" | "list":
            return _listed(items), memory
        case "add":
            return _add(items, rest, memory)
        case "done" | "update":
            return _change(items, verb.casefold(), rest, memory)
        case _:
            return USAGE, memory


def _items(memory: Mapping[str, Any]) -> Items:
    """Read the list; what somebody else may have put there is left out."""
    kept = memory.get(KEY)
    listed = kept if isinstance(kept, list) else []
    return [
        {"text": item["text"][:LONGEST], "done": item.get("done") is True}
        for item in listed[:MOST]
        if isinstance(item, dict) and isinstance(item.get("text"), str)
    ]


def _listed(items: Items) -> str:
    if not items:
        return "There is nothing to do."
    return "\n".join(_shown(number, item) for number, item in enumerate(items, 1))


def _shown(number: int, item: Mapping[str, Any]) -> str:
    return f"{number}. [{'x' if item['done'] else ' '}] {item['text']}"


def _add(items: Items, text: str, memory: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    if not text:
        return USAGE, memory
    if len(items) >= MOST:
        return f"The list is full: it has {MOST} entries.", memory
    items = [*items, {"text": _clean(text), "done": False}]
    return f"Added {_shown(len(items), items[-1])}", {**memory, KEY: items}


def _change(
    items: Items, verb: str, rest: str, memory: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]]:
    match = _NUMBERED.fullmatch(rest)
    if match is None or (verb == "update" and not match[2]):
        return USAGE, memory
    number = int(match[1])
    if not 1 <= number <= len(items):
        return f"There is no number {number} on the list.", memory
    item = items[number - 1]
    item |= {"done": True} if verb == "done" else {"text": _clean(match[2])}
    said = "Done" if verb == "done" else "Updated"
    return f"{said}: {_shown(number, item)}", {**memory, KEY: items}


def _clean(text: str) -> str:
    return shortened(" ".join(storable(text).split()), LONGEST)
