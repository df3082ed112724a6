"""Drawing pages. They load and run nothing: the style stands inside, named by its hash.

What people wrote into a team is escaped, and what hides in it is shown by its number. Knowledge
alone is drawn as Markdown, by ``markdown``.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.teams.pages.rules.texts import key_of, seen

_FOLDER: Final = Path(__file__).parent.parent
_STYLE: Final = (_FOLDER / "page.css").read_text()
_STYLE_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self';"
        " frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    # Not no-referrer: with that, browsers send `Origin: null` with our own forms, and the check
    # of where a form comes from would refuse all. No other site ever sees an address of ours.
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
}
"""Of every page."""

SECRET_HEADERS: Final = {**HEADERS, "referrer-policy": "no-referrer"}
"""Of a page without forms whose address is a secret."""


def rendered(template: str, **values: Any) -> bytes:
    """Draw a page; every value is escaped."""
    return _PAGES.get_template(f"{template}.html").render(values).encode("utf-8", "replace")


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%d %b %Y, %H:%M UTC")


def _many(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


_PAGES: Final = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_PAGES.globals["style"] = Markup(_STYLE)  # noqa: S704 - our own file
_PAGES.filters["moment"] = _moment
_PAGES.filters["many"] = _many
_PAGES.filters["seen"] = seen
_PAGES.filters["key"] = key_of
