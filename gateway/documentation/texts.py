"""Pages for people: the front page, a short guide, the terms, and what is kept about whom.

They are the same for everybody, load nothing, and run nothing (teams contract, section 1).
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path
from typing import Final

from starlette.responses import HTMLResponse, Response

_FOLDER: Final = Path(__file__).parent
_TITLES: Final = {
    "/": "Guildhall",
    "/terms": "Terms of use",
    "/privacy": "Privacy",
    "/guide": "Guide",
    "/guide/start": "Begin",
    "/guide/share": "Share",
    "/guide/machines": "Machines",
    "/guide/knowledge": "Knowledge and tasks",
}
FRONT: Final = "/"
PATHS: Final = frozenset(_TITLES) - {FRONT}
"""Addresses where there is nothing but the page."""

_STYLE: Final = (_FOLDER / "page.css").read_text(encoding="utf-8")
_DIGEST: Final = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "public, max-age=300",
}


def _written(path: str, title: str) -> str:
    name = path[1:].replace("/", "_") or "front"
    text = (_FOLDER / f"{name}.html").read_text(encoding="utf-8")
    suffix = "" if path == FRONT else " · Guildhall"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}{suffix}</title>
<style>{_STYLE}</style>
</head>
<body>
<header><a href="/">Guildhall</a></header>
<main>
<h1>{title}</h1>
{text}</main>
<footer><a href="/guide">Guide</a><a href="/terms">Terms</a><a href="/privacy">Privacy</a></footer>
</body>
</html>
"""


_PAGES: Final = {path: _written(path, title) for path, title in _TITLES.items()}


def answer(path: str) -> Response:
    """Answer one of ``PATHS``, or ``FRONT``."""
    return HTMLResponse(_PAGES[path], headers=_HEADERS)


def prefers_html(accepts: bytes) -> bool:
    """Tell whether a caller names HTML, and does not want JSON more (RFC 9110, section 12.5.1).

    Args:
        accepts: the values of ``Accept``, with commas between them.
    """
    wishes = {"text/html": 0.0, "application/json": 0.0}
    for part in accepts.decode("latin-1").lower().split(","):
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        if media_type in wishes:
            wishes[media_type] = _weight(parameters)
    return 0.0 < wishes["text/html"] >= wishes["application/json"]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
