"""One-time passwords (RFC 4226, RFC 6238), recovery codes, and how they are told apart."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b32encode
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urlencode

import segno

DIGITS: Final = 6
PERIOD: Final = 30
"""Seconds of a time step."""

WINDOW: Final = 1
"""Time steps that a device's clock may be off, either way."""

ISSUER: Final = "Guildhall"

CODE_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
"""32 characters, none of which looks like another."""

_HALF: Final = 5
_TOTP: Final = re.compile(r"[0-9]{6}")


def hotp(secret: bytes, counter: int) -> str:
    """Compute the one-time password of a counter (RFC 4226, section 5.3)."""
    mac = hmac.digest(secret, counter.to_bytes(8), hashlib.sha1)
    offset = mac[-1] & 0xF
    number = int.from_bytes(mac[offset : offset + 4]) & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def step_at(moment: float) -> int:
    """Give the time step of a moment in Unix seconds (RFC 6238, section 4.2)."""
    return int(moment) // PERIOD


def matching_step(secret: bytes, code: str, moment: float, last_step: int) -> int | None:
    """Find the time step whose code this is, among those near a moment and after the last used.

    Every candidate is compared, in constant time each. Any other text is no step's code.
    """
    if not is_time_code(code):
        return None
    now, found = step_at(moment), None
    for step in range(now - WINDOW, now + WINDOW + 1):
        if hmac.compare_digest(hotp(secret, step), code) and step > last_step:
            found = step
    return found


def normal(code: str) -> str:
    """Bring a code as typed into its plain form: no spaces, lower case."""
    return "".join(code.split()).lower()


def is_time_code(code: str) -> bool:
    """Tell whether a code in its plain form can only be a time step's, not a recovery code."""
    return _TOTP.fullmatch(code) is not None


def secret_text(secret: bytes) -> str:
    """Write a secret as authenticators take it: base32 without padding."""
    return b32encode(secret).decode().rstrip("=")


def otpauth_uri(secret: bytes, email: str) -> str:
    """Write the address by which authenticators take a secret (Key URI Format)."""
    label = quote(f"{ISSUER}:{email}", safe=":@")
    query = urlencode(
        {
            "secret": secret_text(secret),
            "issuer": ISSUER,
            "algorithm": "SHA1",
            "digits": DIGITS,
            "period": PERIOD,
        }
    )
    return f"otpauth://totp/{label}?{query}"


def qr_svg(text: str) -> str:
    """Draw a QR code as an SVG element that scales with its place."""
    return segno.make(text, error="m", micro=False).svg_inline(
        border=4, light="#fff", omitsize=True
    )


def recovery_code(random: Sequence[int]) -> str:
    """Write ten random bytes as a recovery code: 50 bits, in two halves."""
    letters = "".join(CODE_ALPHABET[value % len(CODE_ALPHABET)] for value in random)
    return f"{letters[:_HALF]}-{letters[_HALF:]}"


def recovery_text(account_id: str, code: str) -> str:
    """Give what the fingerprint of a recovery code is made of; the hyphen may be left out."""
    return f"{account_id}:{code.replace('-', '')}"


def digest(token: str) -> bytes:
    """Give what is stored of a challenge: its SHA-256."""
    return hashlib.sha256(token.encode()).digest()
