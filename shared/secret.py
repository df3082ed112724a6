"""Deriving keys from the root secret, and the strict base64url that tokens and keys travel in."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac


def derive(root: bytes, purpose: str) -> bytes:
    """Derive the 32-byte key for one purpose, such as ``assertion:auth``, from the root secret.

    HMAC-SHA256 as the expand step of HKDF (RFC 5869) with a single block: knowing one derived key
    tells nothing of the root or of any other key.
    """
    return hmac.new(root, purpose.encode() + b"\x01", hashlib.sha256).digest()


def encode_base64url(data: bytes) -> str:
    """Encode as base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64url(text: str | bytes) -> bytes:
    """Decode strict base64url: no padding, no foreign characters, no unused bits set.

    Raises:
        ValueError: the text is not the one canonical encoding of some bytes.
    """
    raw = text.encode("ascii") if isinstance(text, str) else text
    try:
        data = base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("not base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != raw:
        raise ValueError("not canonical base64url")
    return data
