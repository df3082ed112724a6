"""Tokens of invitations."""

from __future__ import annotations

import hashlib
from typing import Final

from shared.secret import encode_base64url

PREFIX: Final = "invite_"


def token_of(random: bytes) -> str:
    """Write 32 random bytes as a token."""
    return PREFIX + encode_base64url(random)


def digest(token: str) -> bytes:
    """Give what is stored of a token: its SHA-256."""
    return hashlib.sha256(token.encode()).digest()


def link(base: str, token: str) -> str:
    """Give the address that a letter links to.

    Args:
        base: of the web client, or our own public URL.
        token: of the invitation.
    """
    return f"{base}/accept-invite?token={token}"
