"""Texts of others, made fit to stand in a suite; and which of them name what must not be done."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from services.runs.engine import language

_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\ud800-\udfff\ufeff]+")
_NOT_WORD: Final = re.compile(r"[^a-z0-9]+")
_LONGEST: Final = 120

_DANGER: Final = re.compile(
    r"\b(delete|remove|destroy|erase|wipe|purge|drop|deactivate|disable|close (my )?account"
    r"|cancel|unsubscribe|revoke|terminate|suspend|ban|block|reset"
    r"|pay|payment|purchase|buy|order now|place (the |my |your )?order|checkout|check out|donate"
    r"|transfer|withdraw|refund|subscribe now|upgrade"
    r"|log ?out|sign ?out|log ?off)\b",
    re.IGNORECASE,
)


def is_dangerous(*texts: str) -> bool:
    """Tell whether a button, link or form with these words must not be activated."""
    return any(_DANGER.search(text.replace("_", " ").replace("-", " ")) for text in texts)


def clean(text: str) -> str:
    """Make one line of a text, without characters that nobody sees."""
    return " ".join(_UNFIT.sub(" ", text).split())


def quoted(text: str) -> str:
    """Put a page's text in quotes as a step names it; empty where that cannot be done.

    A placeholder in it would be taken for a name of the suite, so there is no way to write it.
    """
    text = clean(text)
    if not text or "${" in text or len(text) > _LONGEST:
        return ""
    for opening, closing in ('""', "''", "``", "«»"):
        if opening not in text and closing not in text:
            return f"{opening}{text}{closing}"
    return ""


def is_plain(text: str) -> bool:
    """Tell whether a text can stand in a check as it is."""
    return bool(text) and "${" not in text and text == clean(text)


def slug(text: str, longest: int = 60) -> str:
    """Make an id's part of a text; ``home`` where nothing is left of it, as of ``/``."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _NOT_WORD.sub("-", plain).strip("-")[:longest].strip("-") or "home"


def path_of(address: str) -> str:
    """Give path and query of an address, ``/`` where it names none; empty if it is no address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path


def is_openable(path: str) -> bool:
    """Tell whether a step can open that path as it is written."""
    is_one_word = path.startswith("/") and not path.startswith("//") and path.isascii()
    return is_one_word and not re.search(r"[\s\"'`;,${}<>()\\|]", path) and len(path) <= 500


def claim(english: str, check: Mapping[str, Any]) -> dict[str, Any]:
    """Give an expectation in English where the rules read it as that check, else the check."""
    read = language.parse_claim(english)
    if read is not None and read.kind == check["kind"]:
        return {"assert": english}
    return {"check": dict(check)}
