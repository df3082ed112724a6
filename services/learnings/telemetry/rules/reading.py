"""Reading a request's body element by element, so that no bad one spoils the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from pydantic_core import from_json

from services.learnings.telemetry.models import MOST_EVENTS, Incoming, Prepared, Rejected, Source
from services.learnings.telemetry.rules.events import INSTALLATION, Clean, fault_of, normalised
from services.learnings.telemetry.rules.repeats import distinct, incoming
from shared.errors import BadRequest, Invalid, TooLarge

_LONGEST_INTEGER: Final = 400
"""Digits; a longer number is read as infinite, which is stored as null."""

Parse = Callable[[bytes], Any]


def prepared(raw: bytes, source: Source, clean: Clean) -> Prepared:
    """Read a body and bring its events into one form.

    Raises:
        BadRequest: it is not JSON.
        Invalid: ``events`` is missing or no list.
        TooLarge: there are more than ``MOST_EVENTS``.
    """
    try:
        found, is_doubtful = _parsed(raw)
    except (ValueError, RecursionError) as error:
        message = f"The body is not valid JSON: {str(error)[:200]}"
        raise BadRequest(message, code="invalid_json") from None
    events = _events_of(found)
    rejected: list[Rejected] = []
    taken: list[Incoming] = []
    for index, event in enumerate(events):
        if not isinstance(event, dict):
            rejected.append(Rejected(index=index, reason="must be an object"))
            continue
        if is_doubtful and (fault := fault_of(event)) is not None:
            rejected.append(Rejected(index=index, reason=fault))
            continue
        try:
            row = normalised(event, source.received, clean)
            if row[INSTALLATION] is None:
                row[INSTALLATION] = source.fallback
            taken.append(incoming(event, row))
        except (ValueError, RecursionError, OverflowError):
            rejected.append(Rejected(index=index, reason="cannot be stored"))
    kept, repeated = distinct(taken)
    return Prepared(kept, repeated, rejected)


def _parsed(raw: bytes) -> tuple[Any, bool]:
    """Parse a body; tell whether it may hold what the database cannot."""
    try:
        # Half of a surrogate pair makes the fast parser refuse the whole body.
        return from_json(raw, allow_inf_nan=False), b"\\u0000" in raw
    except ValueError:
        return json.loads(raw, parse_int=_integer), True


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float("inf")


def _events_of(found: Any) -> list[Any]:
    if not isinstance(found, dict):
        raise Invalid.field("body", msg="must be an object", type="dict_type")
    if "events" not in found:
        raise Invalid.field("body", "events", msg="Field required", type="missing")
    events = found["events"]
    if not isinstance(events, list):
        raise Invalid.field("body", "events", msg="must be a list", type="list_type")
    if len(events) > MOST_EVENTS:
        raise TooLarge(f"A request may have at most {MOST_EVENTS} events")
    return events
