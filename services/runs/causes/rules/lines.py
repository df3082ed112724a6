"""Reading log lines of whatever logger: plain, logfmt or JSON, with stack traces joined to them.

Everything here comes from outside. Masking comes before cutting, so that no half of a secret is
left over; what is longer than ``LONGEST_RAW`` ends far behind what is ever shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import from_json

from services.runs.causes.models import LONGEST_LINE, MOST_LINES, LogLine, ServerError
from services.runs.causes.rules.frames import CONTINUES, deepest, headline_of, is_thrown

LONGEST_RAW: Final = 16_384
"""Characters of a line as it came."""

LONGEST_JOINED: Final = 65_536
"""Characters of a line with its stack trace, as they came."""

SEVERE: Final = frozenset(
    {"error", "err", "fatal", "critical", "crit", "severe", "panic", "alert", "emergency", "emerg"}
)
"""Levels of error and above, as loggers call them."""

_LEVELS: Final = SEVERE | {"warn", "warning", "notice", "info", "debug", "trace", "verbose"}
_LEVEL_KEYS: Final = (
    "level",
    "severity",
    "levelname",
    "loglevel",
    "lvl",
    "status",
    "severity_text",
)
_TEXT_KEYS: Final = ("message", "msg", "event", "body", "log", "text")
_STACK_KEYS: Final = (
    "stack",
    "stack_trace",
    "stacktrace",
    "exception",
    "exc_info",
    "traceback",
    "backtrace",
)
_ERROR_KEYS: Final = ("error", "err", "exception", "exc")
_TIME_KEYS: Final = ("@timestamp", "timestamp", "time", "ts", "asctime", "date", "datetime")

_LOGFMT: Final = re.compile(r"\b(?:level|severity|lvl)=\"?([A-Za-z]{3,9})\b")
_WORD: Final = re.compile(
    r"(?:^|[\s\[\]|(:\"<])(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|FATAL|CRITICAL|CRIT|SEVERE"
    r"|PANIC|ALERT|EMERG|EMERGENCY)(?=$|[\s\]|):,\">])"
)
_BRACKETED: Final = re.compile(r"[\[<]([a-z]{3,9})[\]>]|^([a-z]{3,9}): ")
_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?"
)
_CONTROLS: Final = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def joined(texts: Iterable[str]) -> list[str]:
    """Join the lines of a stack trace to the line before them."""
    found: list[list[str]] = []
    sizes: list[int] = []
    for text in texts:
        cut = text[:LONGEST_RAW].rstrip()
        if not cut.strip():
            continue
        belongs = bool(found) and (
            CONTINUES.match(cut) is not None or _ends_a_traceback(found[-1], cut)
        )
        if belongs and sizes[-1] + len(cut) < LONGEST_JOINED:
            found[-1].append(cut)
            sizes[-1] += len(cut)
        elif not belongs:
            found.append([cut])
            sizes.append(len(cut))
    return ["\n".join(each) for each in found]


def _ends_a_traceback(before: Sequence[str], line: str) -> bool:
    """Tell whether a line is what Python writes below its traceback."""
    return before[-1][:1] in " \t" and re.match(r"[A-Za-z_][\w.]{2,120}(?::|$)", line) is not None


def read_line(text: str, level: str = "", at: float | None = None) -> LogLine:
    """Read a line; what stands beside it in the log service counts before what it says itself.

    Args:
        text: of the line, with its stack trace.
        level: if the service knows it.
        at: Unix time, likewise.
    """
    text = text[:LONGEST_JOINED].strip()
    if text.startswith("{") and (document := _object(text)) is not None:
        read = read_document(document)
        return LogLine(read.text or text, _level(level) or read.level, at or read.at)
    return LogLine(text, _level(level) or _level_in(text), at if at is not None else time_of(text))


def read_document(document: Mapping[str, Any]) -> LogLine:
    """Read a line of JSON: its words, and the stack trace beside them."""
    flat = dict(_flat(document))
    words = next((flat[key] for key in _TEXT_KEYS if flat.get(key)), "")
    level = next((_level(flat[key]) for key in _LEVEL_KEYS if _level(flat.get(key, ""))), "")
    parts = [words]
    for key in _ERROR_KEYS:
        named = [flat.get(f"{key}.{part}", "") for part in ("type", "kind", "name", "class")]
        what = flat.get(f"{key}.message") or flat.get(f"{key}.msg") or flat.get(key, "")
        parts.append(": ".join(filter(None, (next(filter(None, named), ""), what))))
        parts += [flat.get(f"{key}.{part}", "") for part in _STACK_KEYS]
    parts += [flat.get(key, "") for key in _STACK_KEYS]
    at = next((found for key in _TIME_KEYS if (found := _moment(flat.get(key)))), None)
    return LogLine("\n".join(_distinct(parts)), level, at)


def _distinct(parts: Iterable[str]) -> list[str]:
    """Leave out what another part says already."""
    found: list[str] = []
    for part in filter(None, (each.strip() for each in parts)):
        if any(part in other for other in found):
            continue
        lines = part.splitlines()
        if found and (found[-1] in lines[0] or found[-1] in lines):
            found.pop()
        found.append(part)
    return found


def _flat(document: Mapping[str, Any], head: str = "", depth: int = 0) -> Iterable[tuple[str, str]]:
    """Give plain values by their lower-case path, ``log.level`` also as ``level``."""
    for key, value in list(document.items())[:200]:
        name = f"{head}{str(key)[:100].lower()}"
        if isinstance(value, Mapping) and depth < 3:
            yield from _flat(value, f"{name}.", depth + 1)
            if name in ("log", "attributes"):
                yield from _flat(value, "", depth + 1)
        elif isinstance(value, list) and all(isinstance(each, str) for each in value[:200]):
            yield name, "\n".join(value[:200])
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            yield name, str(value)[:LONGEST_JOINED]
        if name == "log.level" and isinstance(value, str):
            yield "level", value


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        found = from_json(text, allow_inf_nan=False)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _level(word: object) -> str:
    """Give a level's name; pino and bunyan count: 50 is error."""
    text = str(word).strip().lower()
    if text.isdecimal() and len(text) == 2:
        return "error" if int(text) >= 50 else "info"
    return text if text in _LEVELS else ""


def _level_in(text: str) -> str:
    head = text[:400].split("\n", 1)[0]
    if named := _LOGFMT.search(head):
        return _level(named[1])
    if found := _WORD.search(head[:200]):
        return found[1].lower()
    for bracketed in _BRACKETED.finditer(head[:200]):
        if level := _level(bracketed[1] or bracketed[2]):
            return level
    return ""


def time_of(text: str) -> float | None:
    """Give the time that a line begins with, in UTC unless it says otherwise."""
    found = _ISO.search(text[:80])
    return _moment(found[0]) if found else None


def _moment(value: object) -> float | None:
    """Read a time: ISO-8601, or Unix seconds to nanoseconds."""
    text = str(value or "").strip()
    try:
        if re.fullmatch(r"\d{10,19}(?:\.\d{1,9})?", text):
            number = float(text)
            while number > 1e11:
                number /= 1000
            return number
        if found := _ISO.match(text):
            fraction = (found[3] or "0")[:6]
            zone = (found[4] or "Z").replace("Z", "+00:00")
            when = datetime.fromisoformat(f"{found[1]}T{found[2]}.{fraction:0<6}{zone}")
            return when.astimezone(UTC).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    return None


def moment_of(text: str | None) -> float | None:
    """Read a time of a report."""
    return _moment(text)


def cleaned(lines: Sequence[LogLine], mask: Callable[[str], str]) -> list[LogLine]:
    """Mask lines, and then cut them; the newest ``MOST_LINES`` by their time, oldest first.

    Args:
        lines: as they were read.
        mask: takes secrets out of a text.
    """
    known = [line for line in lines if line.text.strip()]
    ordered = sorted(known, key=lambda line: line.at if line.at is not None else float("inf"))
    return [
        replace(line, text=mask(_CONTROLS.sub("", line.text))[:LONGEST_LINE])
        for line in ordered[-MOST_LINES:]
    ]


def server_error_of(lines: Sequence[LogLine], near: float | None = None) -> ServerError | None:
    """Choose the line that tells what went wrong: of level error or above, or with an exception.

    One with a frame of the application goes before one without, an exception before a bare line;
    of equals, the one nearest in time to the failure, or else the last.

    Args:
        lines: of the failure, oldest first.
        near: Unix time of the failure.
    """
    best: tuple[tuple[bool, bool, float], ServerError] | None = None
    for number, line in enumerate(lines):
        thrown = is_thrown(line.text)
        if line.level not in SEVERE and not (thrown and line.level in ("", "warn", "warning")):
            continue
        frame = deepest(line.text)
        order = float(number) if near is None or line.at is None else -abs(line.at - near)
        rank = (frame is not None, thrown, order)
        if best is None or rank >= best[0]:
            best = rank, ServerError(_headline(line.text), frame, line.at)
    return None if best is None else best[1]


def _headline(text: str) -> str:
    found = " ".join(headline_of(text).split())
    return found if len(found) <= 400 else found[:399] + "…"
