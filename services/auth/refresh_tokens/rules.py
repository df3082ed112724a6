"""What a refresh token is made of."""

from __future__ import annotations

import hashlib
from typing import Final

from shared.secret import encode_base64url

PREFIX: Final = "refresh_"


def token_of(random: bytes) -> str:
    """Write 32 random bytes as a refresh token."""
    return PREFIX + encode_base64url(random)


def digest(token: str) -> bytes:
    """Give what is stored of a refresh token: its SHA-256."""
    return hashlib.sha256(token.encode()).digest()
