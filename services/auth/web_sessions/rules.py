"""How the session cookie is written and read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from services.auth.web_sessions.models import NewCookie

NAME: Final = "guildhall_session"
LONGEST: Final = 16_384
"""Characters of a Cookie header that are looked at."""


CHALLENGE: Final = "guildhall_challenge"
CHALLENGE_AGE: Final = 300
"""Seconds between a right password and its code."""

HOME: Final = "/dashboard"
LONGEST_PATH: Final = 1000


def cookie_name(public_url: str, name: str = NAME) -> str:
    """Name the cookie; over https so that no other host or path can set it (RFC 6265bis)."""
    return f"__Host-{name}" if public_url.startswith("https://") else name


def local_path(wanted: str) -> str:
    """Give the path to go on to, or the home page when what is wanted is no path of ours.

    Browsers read a backslash as a slash and drop tabs and line breaks, so that ``/\\evil.example``
    and ``/<tab>/evil.example`` would leave.
    """
    plain = wanted.isascii() and wanted.isprintable() and not set(wanted) & set(" \\")
    is_path = wanted.startswith("/") and not wanted.startswith("//")
    return wanted if plain and is_path and len(wanted) <= LONGEST_PATH else HOME


def value_in(headers: Mapping[str, str], public_url: str) -> str | None:
    """Find the session cookie's value in a request's headers."""
    return value_of(cookie_name(public_url), headers)


def value_of(name: str, headers: Mapping[str, str]) -> str | None:
    """Find a cookie's value; whatever else stands in the header, other sites' cookies too."""
    header = headers.get("cookie", "")
    if len(header) > LONGEST:
        return None
    for pair in header.split(";"):
        found, _, value = pair.strip().partition("=")
        if found == name:
            return value
    return None


def set_cookie(cookie: NewCookie, public_url: str) -> str:
    """Write the ``Set-Cookie`` header that signs a browser in."""
    return _written(cookie.value, cookie.max_age, public_url)


def clear_cookie(public_url: str) -> str:
    """Write the ``Set-Cookie`` header that signs a browser out."""
    return _written("", 0, public_url)


def set_challenge(token: str, public_url: str) -> str:
    """Write the ``Set-Cookie`` header that carries a login to its second step."""
    return _written(token, CHALLENGE_AGE, public_url, CHALLENGE)


def challenge_in(headers: Mapping[str, str], public_url: str) -> str | None:
    """Find the challenge of a login that waits for its second step."""
    return value_of(cookie_name(public_url, CHALLENGE), headers)


def digest(value: str) -> bytes:
    """Give what is stored of a cookie: its SHA-256."""
    return hashlib.sha256(value.encode()).digest()


def _written(value: str, max_age: int | None, public_url: str, name: str = NAME) -> str:
    parts = [f"{cookie_name(public_url, name)}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if public_url.startswith("https://"):
        parts.append("Secure")
    if max_age is not None:
        parts.append(f"Max-Age={max_age}")
    return "; ".join(parts)
