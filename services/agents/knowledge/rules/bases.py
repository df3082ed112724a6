"""Reading the knowledge bases that an agent names, whatever JSON that is."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from services.agents.knowledge.models import (
    LONGEST_QUESTION,
    MOST_BASES,
    Base,
    Caller,
    LearningsBase,
    Standing,
    TeamBase,
    Wanted,
)
from shared.principal import Kind, Principal

_TYPES: Final[dict[str, type[Base]]] = {"learnings": LearningsBase, "team": TeamBase}

_MOST_UNKNOWN: Final = 4
"""Unknown types that notes name."""

_LONGEST_NAME: Final = 40


def read_bases(value: Any) -> tuple[list[Wanted], list[str]]:
    """Give the knowledge bases that are understood, and notes on those that cannot be used.

    What names no type is passed over without a word: clients send any JSON. A base with a field
    that cannot be read is not used at all, because without its filter it would give too much.
    """
    wanted: list[Wanted] = []
    notes: list[str] = []
    unknown: dict[str, None] = {}
    count = 0
    for place, entry in enumerate(_entries(value), 1):
        name = entry.get("type") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            continue
        if name not in _TYPES:
            unknown.setdefault(_shown(name))
            continue
        count += 1
        if count > MOST_BASES:
            notes.append(f"knowledge bases after the first {MOST_BASES} are not looked at")
            break
        try:
            base = _TYPES[name].model_validate(entry)
        except ValidationError as error:
            field = _field_of(error)
            notes.append(f"knowledge base {place} ({name}) has a {field} that cannot be used")
            continue
        if all(base != one.base for one in wanted):
            wanted.append(Wanted(place, base))
    notes += [
        f"knowledge base type '{name}' is not known" for name in list(unknown)[:_MOST_UNKNOWN]
    ]
    return wanted, notes


def _entries(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value]
    return list(value) if isinstance(value, list | tuple) else []


def _shown(name: str) -> str:
    cut = name[:_LONGEST_NAME]
    return "".join(letter if letter.isprintable() and letter != "'" else "?" for letter in cut)


def _field_of(error: ValidationError) -> str:
    """Name the first field that is wrong; it is one of ours, never what was sent."""
    return str(error.errors(include_url=False, include_input=False)[0]["loc"][0])


def read_question(text: str) -> str:
    """Give the part of a message that is looked up, fit to be sent as JSON."""
    return text[:LONGEST_QUESTION].replace("\x00", " ").encode(errors="ignore").decode()


def may_read(caller: Caller, standing: Standing, base: Base) -> bool:
    """Tell whether a caller with this standing may read of what a base names, as far as we know.

    Of teams only people are told, as on the account pages of teams, which ask nobody else; whose
    team it is decides the teams service.
    """
    if not standing.active or not caller.account:
        return False
    if isinstance(base, TeamBase):
        return caller.kind == Kind.USER
    principal = Principal(
        Kind(caller.kind), caller.subject, caller.org, standing.role, standing.scopes
    )
    return bool(caller.org) and principal.has_scope("learnings:read")
