"""Tokens of letters, and where their links lead."""

from __future__ import annotations

import hashlib
from typing import Final

TOKEN_PREFIX: Final = "reset_"  # noqa: S105 - a prefix, not a secret


def digest(token: str) -> bytes:
    """Give what is stored of a token: its SHA-256, from which it cannot be found."""
    return hashlib.sha256(token.encode()).digest()


def link(public_url: str, token: str) -> str:
    """Give the address of the page where a new password is set."""
    return f"{public_url}/users/reset-password/{token}"
