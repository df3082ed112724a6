"""Writing what a person calls a date or a time as a browser's field wants it. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

_DATES: Final = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d %B %Y",
    "%d %b %Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%B %d %Y",
    "%b %d %Y",
)
_TIMES: Final = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I %p", "%I:%M%p", "%I%p")
_SLASHED: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")


def for_field(kind: str, text: str) -> str | None:
    """Write a value for an input of type ``date``, ``time``, ``datetime-local`` or ``month``.

    None where it is no such thing, or could be two: 01/02/2026 is a day of January to some and of
    February to others.
    """
    text = " ".join(text.split())
    if kind == "date":
        return _date(text)
    if kind == "time":
        return _time(text)
    if kind == "month":
        day = _date(f"{text}-01") if re.fullmatch(r"\d{4}-\d{2}", text) else _date(f"1 {text}")
        return None if day is None else day[:7]
    if kind == "datetime-local":
        first, _, second = text.replace("T", " ").rpartition(" ")
        date, time = _date(first.removesuffix(" at").rstrip(",")), _time(second)
        return None if date is None or time is None else f"{date}T{time}"
    return text


def _date(text: str) -> str | None:
    if slashed := _SLASHED.fullmatch(text):
        first, second, year = map(int, slashed.groups())
        if first == second or first > 12:
            return _iso(year, second, first)
        return _iso(year, first, second) if second > 12 else None
    return next((day.date().isoformat() for form in _DATES if (day := _read(text, form))), None)


def _time(text: str) -> str | None:
    return next((at.strftime("%H:%M") for form in _TIMES if (at := _read(text, form))), None)


def _iso(year: int, month: int, day: int) -> str | None:
    found = _read(f"{year:04}-{month}-{day}", "%Y-%m-%d")
    return None if found is None else found.date().isoformat()


def _read(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)
    except ValueError:
        return None
