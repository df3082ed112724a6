"""Identifiers: a short prefix that says what it names, then random base-62."""

from __future__ import annotations

import os
import time
from typing import Final
from uuid import UUID

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_LETTERS: Final = bytes(ord(ALPHABET[value % 62]) for value in range(256))


def new_id(prefix: str, length: int = 16) -> str:
    """Make an identifier such as ``usr_4fZ…``: the prefix as given, then ``length`` characters.

    Sixteen base-62 characters carry 95 bits, so identifiers never collide and cannot be guessed.
    (Eight letters come up a quarter more often than the rest, which costs a tenth of a bit.)
    """
    return prefix + os.urandom(length).translate(_LETTERS).decode()


def new_event_id() -> UUID:
    """Make a UUID version 7 (RFC 9562 section 5.7): time first, so index inserts stay local."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
