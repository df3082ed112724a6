"""Values into templates, after the meaning is settled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from services.runs.engine.language.models import Intent, Target

Filler = Callable[[str], str]

# Texts of an intent that are words of ours, not the author's.
_OURS = frozenset({"button", "to", "keys", "variable", "role", "region", "kind"})


def fill_intent(intent: Intent, fill: Filler) -> Intent:
    """Put values into every text of an intent; its shape stays as it was read.

    `Value.variable` keeps the name, so that the value's origin is still known.

    Args:
        intent: As `parse_step` gave it.
        fill: Turns a template into text; what it raises goes through.
    """
    filled = _filled(intent, fill)
    assert isinstance(filled, type(intent))
    return filled


def fill_target(target: Target, fill: Filler) -> Target:
    """Put values into a target; see `fill_intent`."""
    filled = _filled(target, fill)
    assert isinstance(filled, Target)
    return filled


def _filled(thing: Any, fill: Filler) -> Any:
    if isinstance(thing, str):
        return fill(thing)
    if isinstance(thing, tuple):
        return tuple(_filled(part, fill) for part in thing)
    if not hasattr(thing, "__dataclass_fields__"):
        return thing
    changes = {
        field.name: _filled(getattr(thing, field.name), fill)
        for field in fields(thing)
        if field.name not in _OURS or not isinstance(getattr(thing, field.name), str)
    }
    return replace(thing, **changes)
