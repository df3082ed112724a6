"""Drawing pages. They load nothing: the style stands inside, named by its hash in the policy."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

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
}


def rendered(template: str, **values: Any) -> bytes:
    """Draw a page; every value is escaped."""
    return _PAGES.get_template(f"{template}.html").render(values).encode()


def picture(svg: str) -> Markup:
    """Let an SVG that we drew ourselves stand in a page as it is."""
    return Markup(svg)  # noqa: S704 - drawn by us, of a secret that we made


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%d %b %Y, %H:%M UTC")


_PAGES: Final = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_PAGES.globals["style"] = Markup(_STYLE)  # noqa: S704 - our own file
_PAGES.filters["moment"] = _moment
