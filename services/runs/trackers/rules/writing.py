"""What a tracker is told, and how a failure is known again there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from services.runs.issues.models import Telling
from services.runs.runs.models import RunRow
from services.runs.trackers.models import LABEL, Message

HEAD: Final = "tripwire-fingerprint:"

LONGEST_TITLE: Final = 240
"""Characters; the trackers take some 255."""

LONGEST_BODY: Final = 24_000
"""Characters of Markdown; Jira takes 32,767 of a text."""

_OURS: Final = re.compile(r"^(\[Screenshot\]\()(?=/api/v1/)", re.MULTILINE)
_FENCE: Final = re.compile(r"^(`{3,})", re.MULTILINE)
_SHA: Final = re.compile(r"[0-9A-Fa-f]{7,64}")


def message_of(
    telling: Telling, run: RunRow, report: Mapping[str, Any] | None, public_url: str, run_url: str
) -> Message:
    """Write what a tracker is told of an issue that a run has seen.

    Args:
        telling: what the board says of it.
        run: that saw it.
        report: of the run, if it is there.
        public_url: where clients reach us, for links to screenshots.
        run_url: where the run is shown.
    """
    foot = _foot(telling, run, report, run_url)
    home = public_url.rstrip("/")

    def whole(text: str) -> str:
        linked = _OURS.sub(lambda match: match[1] + home, text)
        return f"{fitted(linked)}\n\n{foot}"

    title = " ".join(telling.title.split())
    return Message(
        run_id=run.id,
        fingerprint=telling.fingerprint,
        title=title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…",
        body=whole(telling.body),
        comment=whole(telling.comment),
        labels=(LABEL, f"severity-{telling.severity}"),
    )


def _foot(telling: Telling, run: RunRow, report: Mapping[str, Any] | None, run_url: str) -> str:
    parts = [f"{telling.key}, seen in run [{run.id}]({run_url})"]
    environment = (report or {}).get("env")
    said = environment if isinstance(environment, Mapping) else {}
    commit, job = run.git_sha or said.get("git_sha"), run.ci_url or said.get("ci_url")
    if isinstance(commit, str) and _SHA.fullmatch(commit):
        parts.append(f"commit `{commit}`")
    if isinstance(job, str) and (address := _address(job)):
        parts.append(f"[CI job]({address})")
    return ", ".join(parts)


def _address(url: str) -> str:
    """Give an address so that it cannot end a link in Markdown; empty for what is none."""
    try:
        is_web = urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return ""
    return quote(url, safe=":/?#[]@!$&'*+,;=%~") if is_web else ""


def fitted(markdown: str) -> str:
    """Cut a text that is too long at the end of a line, and close a code block that was open."""
    if len(markdown) <= LONGEST_BODY:
        return markdown
    kept = markdown[:LONGEST_BODY].rpartition("\n")[0] or markdown[:LONGEST_BODY]
    open_fence = ""
    for fence in _FENCE.findall(kept):
        if not open_fence:
            open_fence = fence
        elif len(fence) >= len(open_fence):
            open_fence = ""
    return "\n".join(filter(None, (kept, open_fence, "\n(shortened)")))


def marker_of(fingerprint: str) -> str:
    """Write the line by which a failure is known again."""
    return f"{HEAD} {_safe(fingerprint)}"


def marked(body: str, fingerprint: str) -> str:
    """Put the marker at the end of a Markdown body, where nobody sees it."""
    return f"{body}\n\n<!-- {marker_of(fingerprint)} -->"


def fingerprint_in(text: str, fingerprint: str) -> bool:
    """Tell whether a body is of this failure.

    The last marker counts: we write it behind all that a tested page may have said.
    """
    _, head, behind = text.rpartition(HEAD)
    line = behind.partition("\n")[0].partition("-->")[0]
    return bool(head) and line.strip() == _safe(fingerprint)


def _safe(fingerprint: str) -> str:
    """Give a fingerprint that stays one line and within a comment."""
    return " ".join(fingerprint.split()).replace("-->", "-- >").replace("<!--", "< !--")


def signature_of(fingerprint: str) -> str:
    """Give the part of a fingerprint that a search finds as one word: twelve hex digits."""
    return fingerprint.rpartition(":")[2]


def label_of(fingerprint: str) -> str:
    """Give a label that only issues of this failure have, for trackers that search by label."""
    return f"tripwire-{hashlib.sha256(fingerprint.encode()).hexdigest()[:16]}"
