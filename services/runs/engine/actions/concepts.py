"""What people call pages, and where such pages usually are (contract section 5.4). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from services.runs.engine.resolver.models import Candidate

MOST_PATHS: Final = 8
"""Paths that are tried for one concept."""


@dataclass(frozen=True, slots=True)
class Concept:
    """A page that many sites have.

    Attributes:
        names: what it is called, in plain letters.
        paths: where it usually is.
        has_password: whether its form must ask for a password.
    """

    names: tuple[str, ...]
    paths: tuple[str, ...]
    has_password: bool = False


_CONCEPTS: Final = (
    Concept(
        ("sign up", "signup", "register", "registration", "create account", "join", "new account"),
        (
            "/signup",
            "/sign-up",
            "/register",
            "/join",
            "/users/new",
            "/users/sign_up",
            "/account/register",
            "/registration",
        ),
        has_password=True,
    ),
    Concept(
        ("log in", "login", "sign in", "signin", "log on"),
        (
            "/login",
            "/log-in",
            "/signin",
            "/sign-in",
            "/users/sign_in",
            "/session/new",
            "/auth/login",
            "/account/login",
        ),
        has_password=True,
    ),
    Concept(
        ("settings", "preferences"), ("/settings", "/preferences", "/account/settings", "/account")
    ),
    Concept(("profile", "my profile", "account", "my account"), ("/profile", "/account", "/me")),
    Concept(("cart", "basket", "bag", "shopping cart"), ("/cart", "/basket", "/bag")),
    Concept(("checkout", "check out"), ("/checkout", "/cart/checkout")),
    Concept(("orders", "my orders", "order history"), ("/orders", "/account/orders")),
    Concept(("products", "shop", "catalog", "catalogue", "store"), ("/products", "/shop")),
    Concept(("about", "about us"), ("/about", "/about-us")),
    Concept(("contact", "contact us"), ("/contact", "/contact-us")),
    Concept(("help", "support", "faq"), ("/help", "/support", "/faq")),
    Concept(("pricing", "prices", "plans"), ("/pricing", "/plans")),
)

HOME: Final = frozenset(
    {"", "home", "homepage", "start", "main", "landing", "front", "index", "base url", "website"}
)
"""What the start address is called."""

_PLAIN: Final = re.compile(r"[\W_]+")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TITLE_PARTS: Final = re.compile("\\s+[|·•\u2013\u2014:»/-]\\s+")
_NOISE: Final = frozenset({"page", "the", "a", "an", "your", "my", "screen", "site", "app"})


def plain(text: str) -> str:
    """Reduce to letters and digits in small words, without what names of pages share."""
    words = _PLAIN.sub(" ", _CAMEL.sub(" ", text)).casefold().split()
    return " ".join(word for word in words if word not in _NOISE)


def concept_of(words: str) -> Concept:
    """Give the concept that words name; one of their own where they name none of ours."""
    wanted = plain(words)
    for concept in _CONCEPTS:
        if wanted in concept.names or wanted.replace(" ", "") in concept.names:
            return concept
    slug = wanted.replace(" ", "-")
    return Concept((wanted,), (f"/{slug}",) if re.fullmatch(r"[a-z0-9-]{2,40}", slug) else ())


def names(concept: Concept, text: str) -> bool:
    """Tell whether a title, heading or part of a path names the concept."""
    said = plain(text)
    return bool(said) and (said in concept.names or said.replace(" ", "") in concept.names)


def is_at(concept: Concept, url: str, title: str, candidates: Sequence[Candidate]) -> bool:
    """Tell whether a page is the concept's: by path, first heading or title."""
    path = urlsplit(url).path.rstrip("/")
    if path in concept.paths or names(concept, path.rpartition("/")[2].partition(".")[0]):
        return True
    if any(names(concept, part) for part in _TITLE_PARTS.split(title)):
        return True
    return any(
        one.role == "heading" and one.level == 1 and one.visible and names(concept, one.name)
        for one in candidates
    )


def fits(concept: Concept, title: str, candidates: Sequence[Candidate]) -> bool:
    """Tell whether a page that a usual path gave is what is meant: by its form or its words."""
    if concept.has_password:
        return any(one.input_type == "password" and one.visible for one in candidates)
    return is_at(concept, "", title, candidates)


def origin_of(url: str) -> str | None:
    """Give ``scheme://host:port`` of an http or https address, the port always written."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"


def address_in(text: str, base: str) -> str | None:
    """Give the address that words are: a whole one, a path, or None where they are neither."""
    text = text.strip()
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", text) and not any(c.isspace() for c in text):
        return text
    if re.match(r"[/?#]", text) and not any(c.isspace() for c in text):
        return urljoin(base, text)
    if re.match(r"(?i)(javascript|data|file|about|blob|view-source|chrome):", text):
        return text
    if re.fullmatch(r"(localhost|[\w-]+(\.[\w-]+)*\.[a-z]{2,}|[\d.]+)(:\d+)?(/\S*)?", text):
        return f"{urlsplit(base).scheme or 'http'}://{text}" if _is_host(text) else None
    return None


def _is_host(text: str) -> bool:
    host = text.partition("/")[0].partition(":")[0]
    return host == "localhost" or host.count(".") >= 1
