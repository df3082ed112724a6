"""The SQL of taking events in. What is new is told by ``take_telemetry`` (migration 0005)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pydantic_core import to_json

from services.learnings.telemetry.models import COLUMNS, Incoming
from shared.db import Connection

_JSON: Final = frozenset({"attributes", "payload"})
_TYPES: Final = (
    *("bytea", "bigint", "boolean", "boolean", "integer", "boolean", "timestamptz"),
    *("text",) * 8,
    *("double precision", "text", "text", "text", "double precision", "bigint", "bigint"),
    *("double precision", "boolean", "bigint", "double precision", "boolean", "boolean"),
    *("jsonb", "jsonb"),
)
_TAKE: Final = (
    "SELECT learnings.take_telemetry($1, $2"
    + "".join(f", ${place}::text::{kind}[]" for place, kind in enumerate(_TYPES, 3))
    + ")"
)


async def take(
    connection: Connection, org_id: str, locks: Sequence[int], events: Sequence[Incoming]
) -> int:
    """Store the events that were not received before; give how many those are.

    Arrays go as their text, because the driver's own way costs about four times as much.
    """
    stored: int = await connection.fetchval(
        _TAKE,
        org_id,
        locks,
        _array(["\\x" + event.digest.hex() for event in events]),
        _array([event.pair for event in events]),
        _array([event.with_id for event in events]),
        _array([event.lasting for event in events]),
        _array([event.mate for event in events]),
        _array([event.keep for event in events]),
        *_columns(events),
    )
    return stored


def _columns(events: Sequence[Incoming]) -> list[str | None]:
    columns = zip(*[event.row for event in events], strict=True)
    return [
        _documents(column) if name in _JSON else _array(column)
        for name, column in zip(COLUMNS, columns, strict=True)
    ]


def _array(values: Sequence[Any]) -> str | None:
    """Write an array as PostgreSQL reads it; null for an array of nulls, which most columns are.

    In JSON it looks the same but for its brackets, and for the escapes of control characters.
    """
    if values.count(None) == len(values):
        return None
    text = to_json(values).decode()
    if "\\" in text and any(isinstance(value, str) and _has_control(value) for value in values):
        text = "[" + ",".join([_quoted(value) for value in values]) + "]"
    return "{" + text[1:-1] + "}"


def _documents(values: Sequence[Any]) -> str | None:
    """The same of JSON documents, which hold no control characters."""
    if values.count(None) == len(values):
        return None
    texts = [
        None if value is None else to_json(value, inf_nan_mode="null").decode() for value in values
    ]
    return "{" + to_json(texts).decode()[1:-1] + "}"


def _has_control(text: str) -> bool:
    return not text.isprintable() and any(letter < " " for letter in text)


def _quoted(value: str | None) -> str:
    if value is None:
        return "null"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
