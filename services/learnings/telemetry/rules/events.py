"""Bringing the shapes that clients send into one form (learnings contract, section 5.2).

Nothing that is merely odd is refused: a value that does not fit its column stays in the payload.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.learnings.telemetry.models import COLUMNS, LONGEST_WORD

Clean = Callable[[str, Any], Any]
"""Redacts the value of a named field."""

EARLIEST: Final = datetime(2020, 1, 1, tzinfo=UTC)
AHEAD: Final = timedelta(days=1)

_AT: Final = {name: place for place, name in enumerate(COLUMNS)}
TIME: Final = _AT["time"]
INSTALLATION: Final = _AT["installation_id"]
TYPE: Final = _AT["event_type"]
SESSION: Final = _AT["session_id"]
FRAMEWORK: Final = _AT["framework_version"]
PYTHON: Final = _AT["python_version"]
PLATFORM: Final = _AT["os_platform"]
TOOL: Final = _AT["tool_name"]
DURATION: Final = _AT["duration_ms"]
STATUS: Final = _AT["status"]
SCORE: Final = _AT["ceremony_score"]
ATTRIBUTES: Final = _AT["attributes"]
PAYLOAD: Final = _AT["payload"]

_STATUSES: Final = {
    **dict.fromkeys(("success", "ok", "succeeded", "passed", "completed", "true"), "success"),
    **dict.fromkeys(
        ("error", "failed", "failure", "fail", "exception", "timeout", "false"), "error"
    ),
}
_PLAIN: Final = frozenset({"success", "error"})
_LARGEST: Final = 2**53
_AT_WORDS: Final = {
    name: _AT[name]
    for name in (
        *("installation_id", "event_type", "session_id", "run_id", "framework_version"),
        *("python_version", "os_platform", "tool_name", "error_type", "phase"),
    )
}
# The installation is what a client is known by, and is kept as it was sent.
_CLEANED: Final = tuple(
    (name, _AT[name]) for name in (*_AT_WORDS, "attributes") if name != "installation_id"
)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_WORD


def _number(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Compared before it is converted: an integer of 400 digits is no float.
        return float(value) if -_LARGEST <= value <= _LARGEST else None
    return None


def _amount(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and number >= 0 else None


def _count(value: Any) -> int | None:
    number = _amount(value)
    return int(number) if number is not None and number == int(number) else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _object(value: Any) -> Any:
    return value if isinstance(value, dict) else None


def _status(value: Any) -> str | None:
    return _STATUSES.get(value.lower()) if isinstance(value, str) else None


_OTHERS: Final[Mapping[str, tuple[int, Callable[[Any], Any]]]] = {
    "status": (STATUS, _status),
    "duration_ms": (DURATION, _amount),
    "ceremony_score": (SCORE, _number),
    "input_tokens": (_AT["input_tokens"], _count),
    "output_tokens": (_AT["output_tokens"], _count),
    "cost_usd": (_AT["cost_usd"], _amount),
    "pytest_passed": (_AT["pytest_passed"], _flag),
    "test_count": (_AT["test_count"], _count),
    "coverage_pct": (_AT["coverage_pct"], _number),
    "static_checks_passed": (_AT["static_checks_passed"], _flag),
    "mypy_passed": (_AT["mypy_passed"], _flag),
    "attributes": (ATTRIBUTES, _object),
}


def time_of(value: Any, received: datetime) -> datetime | None:
    """Read a time: ISO 8601 (UTC unless it says otherwise), or Unix seconds or milliseconds.

    None if it is none, or one that cannot be: before 2020 or more than a day ahead.
    """
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value / 1e3 if value > 1e11 else value, UTC)
        else:
            return None
        return moment if EARLIEST <= moment <= received + AHEAD else None
    except (ValueError, OverflowError, OSError):
        return None


def normalised(event: Mapping[str, Any], received: datetime, clean: Clean) -> list[Any]:
    """Give an event's values in the order of ``COLUMNS``; the payload last, null if empty.

    The time is null where the event has none that can be; the installation where it names none.
    Null fields say nothing and are left out.
    """
    row: list[Any] = [None] * len(COLUMNS)
    rest: dict[str, Any] = {}
    for name, value in event.items():
        if value is None:
            continue
        place = _AT_WORDS.get(name)
        if place is not None:
            if isinstance(value, str) and 0 < len(value) <= LONGEST_WORD:
                row[place] = value
                continue
        elif name in _OTHERS:
            place, take = _OTHERS[name]
            taken = take(value)
            if taken is not None:
                row[place] = taken
                continue
        rest[name] = value
    _merge(row, rest, received)
    for name, place in _CLEANED:
        if row[place] is not None:
            row[place] = clean(name, row[place])
    if rest:
        row[PAYLOAD] = {name: clean(name, value) for name, value in rest.items()}
    return row


def _merge(row: list[Any], rest: dict[str, Any], received: datetime) -> None:
    """Take out of the rest what goes by another name."""
    for name in ("ts", "timestamp"):
        if row[TIME] is None and name in rest:
            row[TIME] = time_of(rest[name], received)
            if row[TIME] is not None:
                del rest[name]
    for name, place in (("event", TYPE), ("tool", TOOL)):
        if row[place] is None and _is_word(rest.get(name)):
            row[place] = rest.pop(name)
    _merge_status(row, rest)
    kind = row[TYPE]
    if kind == "tool_call" or (kind is None and row[TOOL] is not None):
        row[TYPE] = "tool_invocation"
    elif kind is None:
        row[TYPE] = "unknown"
    elif kind == "ceremony_compliance" and row[SCORE] is None and "score" in rest:
        row[SCORE] = _number(rest["score"])
        if row[SCORE] is not None:
            del rest["score"]


def _merge_status(row: list[Any], rest: dict[str, Any]) -> None:
    if isinstance(rest.get("success"), bool):
        ended = "success" if rest.pop("success") else "error"
        row[STATUS] = row[STATUS] or ended
    if "outcome" in rest and (known := _status(rest["outcome"])):
        row[STATUS] = row[STATUS] or known
        if rest["outcome"] in _PLAIN:
            del rest["outcome"]


def fault_of(value: Any, depth: int = 0) -> str | None:
    """Say why a value cannot be stored, if it cannot."""
    if isinstance(value, str):
        if "\x00" in value:
            return "holds a NUL character"
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            return "holds half a character"
    elif isinstance(value, dict | list):
        if depth > 200:
            return "is nested too deeply"
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        for one in inner:
            if (fault := fault_of(one, depth + 1)) is not None:
                return fault
    return None
