"""Which way of a project's own workflow opens a closed issue again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

DONE: Final = "done"

CATEGORIES: Final = ("new", "indeterminate")
"""Of statuses that are not done, the likelier one first; any other comes after them."""

NAMES: Final = ("reopen", "re-open", "to do", "todo", "backlog", "open")
"""Beginnings of names of a transition or of the status behind it, the plainest first."""


def reopening(answer: object) -> str | None:
    """Choose, of the transitions that Jira offers for an issue, the one that opens it again.

    The same for the same offer, in whatever order it comes.

    Args:
        answer: to ``GET /issue/{key}/transitions?expand=transitions.fields``.

    Returns:
        Its id; None where none leads out of what is done, or each asks for more than a click.
    """
    offered = answer.get("transitions") if isinstance(answer, Mapping) else None
    each = offered if isinstance(offered, list) else []
    ways = [one for one in each if isinstance(one, Mapping) and _is_plain(one)]
    best = min(ways, key=_rank, default=None)
    return None if best is None else _id(best)


def _is_plain(transition: Mapping[str, Any]) -> bool:
    if not _id(transition) or transition.get("isAvailable") is False:
        return False
    return _category(transition) not in ("", DONE) and not _wants_fields(transition)


def _wants_fields(transition: Mapping[str, Any]) -> bool:
    fields = transition.get("fields")
    return isinstance(fields, Mapping) and any(
        isinstance(one, Mapping) and one.get("required") and not one.get("hasDefaultValue")
        for one in fields.values()
    )


def _rank(transition: Mapping[str, Any]) -> tuple[int, int, int, str]:
    number = _id(transition)
    category = _place(_category(transition), CATEGORIES)
    names = (_text(transition, "name"), _text(transition.get("to"), "name"))
    return category, min(_place(name, NAMES) for name in names), len(number), number


def _place(text: str, words: tuple[str, ...]) -> int:
    found = (at for at, word in enumerate(words) if text.startswith(word))
    return next(found, len(words))


def _id(transition: Mapping[str, Any]) -> str:
    found = transition.get("id")
    return found if isinstance(found, str) else ""


def _category(transition: Mapping[str, Any]) -> str:
    to = transition.get("to")
    return _text(to.get("statusCategory") if isinstance(to, Mapping) else None, "key")


def _text(of: object, name: str) -> str:
    value = of.get(name) if isinstance(of, Mapping) else None
    return value.strip().casefold() if isinstance(value, str) else ""
