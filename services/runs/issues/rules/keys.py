"""Keys of issues (``TW-12``), and what an index holds instead of a fingerprint."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_KEY: Final = re.compile(r"TW-([1-9][0-9]{0,17})", re.IGNORECASE)


def number_of(key: str) -> int | None:
    """Read the number out of a key; None where it is none."""
    match = _KEY.fullmatch(key)
    return None if match is None else int(match[1])


def hash_of(fingerprint: str) -> bytes:
    """Give the SHA-256 of a fingerprint, which itself may be too long for an index."""
    return hashlib.sha256(fingerprint.encode()).digest()
