"""Candidates as a page would give them, made short."""

from __future__ import annotations

from itertools import count
from typing import Any

from services.runs.engine.language.models import Target, Value
from services.runs.engine.resolver.models import Candidate, Entry, Wanted

_NUMBER = count(1)


def seen(role: str, name: str, **values: Any) -> Candidate:
    """An element that can be seen and used."""
    number = next(_NUMBER)
    editable = role in ("textbox", "searchbox", "spinbutton")
    return Candidate(
        **{
            "frame": 0,
            "ref": f"r{number}",
            "role": role,
            "name": name,
            "order": number,
            "editable": editable,
            "in_viewport": False,
            "x": 0.0,
            "y": number * 30.0,
            "width": 100.0,
            "height": 20.0,
            **values,
        }
    )


def field(name: str, **values: Any) -> Candidate:
    return seen("textbox", name, **{"input_type": "text", "form": "f", **values})


def click(text: str, **values: Any) -> Wanted:
    """``Click 'text'``."""
    return Wanted(Target(text, **{"quoted": True, **values}), "click")


def value(variable: str | None = None, text: str = "x", **values: Any) -> Entry:
    template = f"${{{variable}}}" if variable else text
    return Entry(Value(template, variable), text=text, **values)
