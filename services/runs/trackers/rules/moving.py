"""Choosing how a closed issue is opened again, where a workflow leads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_AGAIN: Final = re.compile(r"\bre-?open|\bto ?do\b|\bbacklog\b|\bopen\b", re.IGNORECASE)
_ORDER: Final = ("new", "indeterminate")
"""Jira's categories of what is not done."""


def reopening(transitions: Sequence[Mapping[str, Any]]) -> str | None:
    """Give the id of the transition that opens an issue again; None where none plainly does.

    One whose name, or whose target's, says so goes first, then one to what nobody has begun.

    Args:
        transitions: of an issue, as Jira's API has them.
    """
    found: list[tuple[bool, int, int, str]] = []
    for number, one in enumerate(transitions):
        key, target = one.get("id"), one.get("to")
        category = _category(target)
        if not isinstance(key, str) or not key or category not in _ORDER:
            continue
        named = target.get("name") if isinstance(target, Mapping) else ""
        says = any(_AGAIN.search(str(name or "")) for name in (one.get("name"), named))
        found.append((not says, _ORDER.index(category), number, key))
    return min(found)[-1] if found else None


def _category(target: object) -> str:
    held = target.get("statusCategory") if isinstance(target, Mapping) else None
    return str(held.get("key")) if isinstance(held, Mapping) else ""
