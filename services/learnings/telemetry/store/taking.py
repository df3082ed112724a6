"""The SQL of taking events in. What is new is told by ``take_telemetry`` (migration 0005)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pydantic_core import to_json

from services.learnings.telemetry.models import COLUMNS, Incoming
from shared.db import Connection

_JSON: Final = frozenset({"attributes", "payload"})
_TAKE: Final = (
    "SELECT learnings.take_telemetry("
    + ", ".join(f"${place}" for place in range(1, 9 + len(COLUMNS)))
    + ")"
)


async def take(
    connection: Connection, org_id: str, locks: Sequence[int], events: Sequence[Incoming]
) -> int:
    """Store the events that were not received before; give how many those are."""
    stored: int = await connection.fetchval(
        _TAKE,
        org_id,
        locks,
        [event.digest for event in events],
        _column([event.pair for event in events]),
        [event.with_id for event in events],
        [event.lasting for event in events],
        _column([event.mate for event in events]),
        [event.keep for event in events],
        *_columns(events),
    )
    return stored


def _columns(events: Sequence[Incoming]) -> list[list[Any] | None]:
    columns = zip(*(event.row for event in events), strict=True)
    return [
        _column([_json(value) for value in column] if name in _JSON else list(column))
        for name, column in zip(COLUMNS, columns, strict=True)
    ]


def _column(values: list[Any]) -> list[Any] | None:
    """Give null for a column of nulls, which most are and which costs nothing to send."""
    return values if any(value is not None for value in values) else None


def _json(value: Any) -> str | None:
    return None if value is None else to_json(value, inf_nan_mode="null").decode()
