"""Codes of device logins, and what a person may still decide."""

from __future__ import annotations

import hashlib
import re
from typing import Final, Literal

from services.auth.device_logins.models import Login

ALPHABET: Final = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without look-alikes; 32 letters, so that a byte picks each equally often."""

CLIENT_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

_CODE: Final = re.compile(r"[A-Z0-9]{8}")
_LETTERS: Final = bytes(ALPHABET[value % 32] for value in range(256))

Verdict = Literal["unknown", "same", "open", "closed"]


def user_code(random: bytes) -> str:
    """Write 8 random bytes as the code that a person types, ``XXXX-XXXX``."""
    letters = random.translate(_LETTERS).decode()
    return f"{letters[:4]}-{letters[4:]}"


def normal_code(typed: str) -> str | None:
    """Read a code as typed: any case, with spaces, with or without its dash; None if it is none."""
    letters = re.sub(r"[\s-]", "", typed).upper()
    return f"{letters[:4]}-{letters[4:]}" if _CODE.fullmatch(letters) else None


def digest(device_code: str) -> bytes:
    """Give what is stored of a device code: its SHA-256."""
    return hashlib.sha256(device_code.encode()).digest()


def judge(login: Login | None, account_id: str, *, deny: bool) -> Verdict:
    """Tell what a decision finds.

    ``unknown``: no such code, or somebody else decided. ``same``: this person decided so already.
    ``open``: it may be decided. ``closed``: this person decided the other way.
    """
    if login is None:
        return "unknown"
    if login.status == "pending":
        return "open"
    if login.account_id != account_id:
        return "unknown"
    return "same" if (login.status == "denied") == deny else "closed"
