"""A report as one page for people: it loads nothing, runs nothing, and needs neither.

Whatever a tested page wrote is text here: escaped, without characters that turn or hide others, and
linked only where it is an address of the web or a plain path beside the page. The style is named by
its hash, so that the page works, and is as harmless, wherever it is opened.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml
from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.runs.engine.evidence.models import FINAL, CaseReport, Report, Shot
from services.runs.engine.evidence.reading import read
from services.runs.engine.evidence.thumbnails import Thumbnail, thumbnail

MOST_STEPS: Final = 4_000
"""Steps whose actions are shown; of further cases only what went wrong."""

MOST_INLINE: Final = 16 * 1_048_576
"""Characters of pictures that stand inside; further ones are linked."""

LONGEST_TEXT: Final = 4_000
"""Characters of one text."""

_FOLDER: Final = Path(__file__).parent
_STYLE: Final = (_FOLDER / "report.css").read_text()
_POLICY: Final = (
    "default-src 'none'; img-src data:; style-src 'sha256-"
    + b64encode(sha256(_STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'"
)

_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
# Controls, and what turns the direction of writing or cannot be seen.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)

REASONS: Final = {
    "ambiguous": "Several elements fit, and none better than the others.",
    "not_found": "No element fits what the step names.",
    "needs_model": "The rules cannot read this sentence, and no model is configured.",
    "covered": "Something lies over the element.",
    "disabled": "The element is disabled.",
    "timeout": "It took too long.",
    "url_not_allowed": "The address may not be reached from here.",
    "browser_missing": "No browser could be started where the run was executed.",
    "depends_on": "A case that it depends on did not pass.",
}
"""What machine words mean, for people."""


def page(report: Report | Mapping[str, Any], shots: Mapping[str, bytes] | None = None) -> str:
    """Draw the page of a report, of whatever standing. Blocks: use a thread for many pictures.

    Args:
        report: as it was made, or as it was stored.
        shots: pictures by their path in the report; the others are linked. The page is meant to
            stand in the run's folder, beside what it links.

    Raises:
        ValueError: it is no report.
    """
    whole = read(report)
    gallery = _Gallery(shots or {}, MOST_INLINE)
    cases = _within_limits(whole.cases)
    return _TEMPLATES.get_template("report.html").render(
        report=whole,
        cases=[_Shown(case, gallery.of(case), is_long) for case, is_long in cases],
        unfinished=max(0, whole.summary.total - sum(c.verdict is not None for c in whole.cases)),
        is_final=whole.status in FINAL,
        shares=_shares(whole),
        policy=_POLICY,
    )


@dataclass(frozen=True, slots=True)
class _Picture:
    shot: Shot
    thumbnail: Thumbnail | None

    @property
    def uri(self) -> Markup:
        """Of the thumbnail: base64 that we made, which no rule for texts is to cut."""
        assert self.thumbnail is not None  # the template asks
        return Markup(self.thumbnail.uri)  # noqa: S704 - see above


@dataclass(frozen=True, slots=True)
class _Shown:
    """A case, the pictures of its steps, and whether its steps are left out for their number."""

    case: CaseReport
    pictures: Mapping[str | None, list[_Picture]]
    is_long: bool

    @property
    def longest(self) -> int:
        """Milliseconds of the longest step."""
        return max((step.duration_ms for step in self.case.steps), default=0) or 1

    @property
    def others(self) -> list[_Picture]:
        """Pictures of no step that is shown."""
        steps = {step.id for step in self.case.steps} if not self.is_long else set()
        return [one for step, found in self.pictures.items() if step not in steps for one in found]


@dataclass(slots=True)
class _Gallery:
    """Makes pictures small, as long as there is room."""

    shots: Mapping[str, bytes]
    left: int
    made: dict[str, Thumbnail | None] = field(default_factory=dict)

    def of(self, case: CaseReport) -> dict[str | None, list[_Picture]]:
        found: dict[str | None, list[_Picture]] = {}
        for shot in case.shots:
            found.setdefault(shot.step_id, []).append(_Picture(shot, self._make(shot.path)))
        return found

    def _make(self, path: str) -> Thumbnail | None:
        if path not in self.made:
            content = self.shots.get(path)
            made = thumbnail(content) if content and self.left > 0 else None
            self.left -= len(made.uri) if made else 0
            self.made[path] = made
        return self.made[path]


def _within_limits(cases: tuple[CaseReport, ...]) -> list[tuple[CaseReport, bool]]:
    shown, found = 0, []
    for case in cases:
        is_long = shown + len(case.steps) > MOST_STEPS
        shown += 0 if is_long else len(case.steps)
        found.append((case, is_long))
    return found


def _shares(report: Report) -> list[tuple[str, float, float]]:
    """Give, by verdict, where its part of the bar begins and how wide it is, in percent."""
    summary = report.summary
    counts = {
        "passed": summary.passed,
        "failed": summary.failed,
        "broken": summary.broken,
        "skipped": summary.skipped,
    }
    total = max(summary.total, sum(counts.values()), 1)
    start, found = 0.0, []
    for verdict, count in counts.items():
        width = 100 * max(0, count) / total
        if width:
            found.append((verdict, round(start, 3), round(width, 3)))
        start += width
    return found


# What the template may ask.


def _seen(value: Any) -> Any:
    """Give a text as it can be read by everybody, whoever wrote it."""
    if isinstance(value, Markup | int | float):
        return value
    text = str(value)
    text = text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
    return _HIDDEN.sub("\ufffd", text)


def _web(url: object) -> str | None:
    """Give the address of a web page, else nothing."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.hostname else None


def _beside(path: str | None) -> str | None:
    """Give the path of a file beside the page, else nothing."""
    return path if path and len(path) < 600 and ".." not in path and _PATH.fullmatch(path) else None


def _duration(milliseconds: int) -> str:
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _moment(text: str | None) -> str:
    try:
        moment = datetime.fromisoformat(text or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return text or ""
    return f"{moment.day} {moment:%b %Y, %H:%M:%S} UTC"


def _size(size: int) -> str:
    for unit in ("bytes", "KB", "MB"):
        if size < 1024 or unit == "MB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size = size / 1024  # type: ignore[assignment]  # from here on for people only
    return ""


def _as_yaml(check: Mapping[str, Any]) -> str:
    """Write a check as an author writes it into a suite."""
    try:
        plain = json.loads(json.dumps(check))
        written = yaml.safe_dump(
            plain, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False
        )
    except (ValueError, TypeError, RecursionError, yaml.YAMLError):
        return ""
    return f"check: {written.strip()}"


def _reason(text: str | None) -> tuple[str, str]:
    """Give the machine word of a reason, and what it means."""
    word, colon, rest = (text or "").partition(":")
    word = word.strip()
    if not re.fullmatch("[a-z_]{1,40}", word):
        return "", text or ""
    return word, rest.strip() if colon else REASONS.get(word, "")


_TEMPLATES: Final = Templates(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_seen,
)
_TEMPLATES.globals["style"] = Markup(_STYLE)  # noqa: S704 - our own file
_TEMPLATES.filters |= {
    "web": _web,
    "beside": _beside,
    "duration": _duration,
    "moment": _moment,
    "size": _size,
    "as_yaml": _as_yaml,
    "reason": _reason,
}
