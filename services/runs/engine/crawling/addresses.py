"""Which addresses are pages of the site, and which of them are never opened. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

from services.runs.engine.generating.words import is_dangerous

MOST_ALIKE: Final = 2
"""Pages of one template that are read."""

MOST_SIBLINGS: Final = 8
"""Pages right below one path that are read."""

_DANGER: Final = re.compile(
    r"\b(delete|deletes|remove|removes|destroy|erase|wipe|purge|trash|discard|deactivate|disable"
    r"|cancel|unsubscribe|unfollow|revoke|terminate|suspend|ban|archive|empty|clear|undo"
    r"|pay|payment|payments|purchase|buy|donate|transfer|withdraw|refund|charge"
    r"|confirm|approve|accept|reject|decline|vote|like|publish|unpublish|restore|rerun|trigger"
    r"|add to|log ?out|logoff|log ?off|sign ?out|signoff|sign ?off|logged out|leave|exit|quit)\b",
    re.IGNORECASE,
)
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NOT_LETTERS: Final = re.compile(r"[^a-zA-Z]+")
_FILE: Final = re.compile(
    r"\.(pdf|zip|gz|tgz|tar|7z|rar|exe|dmg|pkg|msi|apk|iso|bin|csv|xlsx?|docx?|pptx?|od[tsp]"
    r"|png|jpe?g|gif|webp|svg|ico|bmp|avif|mp[34]|m4a|ogg|wav|webm|mov|avi|woff2?|ttf|otf"
    r"|css|js|mjs|map|json|xml|rss|atom|txt|ics|wasm)$",
    re.IGNORECASE,
)
_ID: Final = re.compile(
    r"^(\d[\d.,_-]*|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{12,}|(?=[\w-]*\d)[\w-]{16,}"
    r"|(?=.*\d)[a-z]{1,5}[_-]?\d+)$",
    re.IGNORECASE,
)


def origin_of(url: str) -> str:
    """Give scheme, host and port that an address names; empty if it is no web address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if port in (None, usual) else f":{port}")


def page_of(url: str, base: str = "") -> str:
    """Give an address as that of a page: without credentials, and without what scrolls in it.

    A fragment that a router reads (``#/orders``) stays. Empty where it is no web address.
    """
    try:
        whole = urljoin(base, url.strip()) if base else url.strip()
        parts = urlsplit(whole)
    except ValueError:
        return ""
    origin = origin_of(whole)
    if not origin or len(whole) > 1900:
        return ""
    fragment = parts.fragment if parts.fragment.startswith(("/", "!/")) else ""
    scheme, host = origin.split("://")
    return urlunsplit((scheme, host, parts.path or "/", parts.query, fragment))


def path_of(page: str) -> str:
    """Give path, query and a router's fragment of a page's address."""
    parts = urlsplit(page)
    return urlunsplit(("", "", parts.path or "/", parts.query, parts.fragment))


def template_of(page: str) -> str:
    """Give what pages have in common that differ in ids and in what they are asked for."""
    parts = urlsplit(page)
    keys = sorted({key for key, _ in parse_qsl(parts.query, keep_blank_values=True)})
    fragment = _shape(parts.fragment.partition("?")[0])
    return f"{_shape(parts.path)}?{'&'.join(keys)}#{fragment}"


def _shape(path: str) -> str:
    return "/".join("*" if _ID.match(part) else part for part in path.rstrip("/").split("/"))


def parent_of(page: str) -> str:
    """Give the path above a page, in which there may be many like it."""
    parts = urlsplit(page)
    return (
        f"{_shape(parts.path.rstrip('/')).rpartition('/')[0]}#{parts.fragment.rpartition('/')[0]}"
    )


def is_file(page: str) -> bool:
    """Tell whether an address names a file that is no page."""
    return bool(_FILE.search(urlsplit(page).path))


def is_risky(name: str, url: str) -> bool:
    """Tell whether opening a link may change something, end the login or cost something.

    Args:
        name: what the link says.
        url: where it leads; words in its path and query count like what it says.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    place = f"{parts.path} {parts.query} {parts.fragment}"
    words = _NOT_LETTERS.sub(" ", _CAMEL.sub(" ", place))
    return bool(_DANGER.search(_plain(name)) or _DANGER.search(words))


def is_risky_form(*texts: str) -> bool:
    """Tell whether sending a form with these words may change what cannot be put back."""
    plain = tuple(_plain(text) for text in texts)
    return is_dangerous(*plain)


def _plain(text: str) -> str:
    return _NOT_LETTERS.sub(" ", _CAMEL.sub(" ", text))
