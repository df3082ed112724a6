"""Last words: what the gateway says to the caller of a WebSocket whose service vanishes.

A service that dies says no goodbye, and clients of some protocols come back only after one. The
gateway speaks none of those protocols, so the service tells it beforehand what to say, socket by
socket.

**The key.** A handshake that the gateway forwards bears ``x-guildhall-last-words: <key>``: 22
letters, digits, dashes and underscores, drawn at random by each gateway process. Whoever has no key
announces nothing, so a service that is reached directly sends no frame that its protocol does not
have. Callers cannot set the header, and nothing that they hear holds the key. So they cannot write
last words by a Ping either, which the service must answer with a Pong of the same payload.

**What the service says** is an unsolicited Pong (RFC 6455 section 5.5.3), at any time after its 101
and before its Close:

    <key>+<text>    say this text, as one text frame, if I vanish
    <key>-<text>    say it no more; a text that was never announced changes nothing

A payload has at most 125 bytes, so a text has at most ``LONGEST``. The gateway keeps the first
``MOST`` texts of a socket, each once, in the order in which they came, and ignores what is beyond.
It takes every Pong that begins with its key out of the stream.

**When they are said:** just before each Close that the gateway sends of its own accord and after
which the caller could come back, unless the caller has sent a Close already. Nothing is said once
the service has sent a Close, since by then it has said what it wanted to; nor between the fragments
of a message or within a frame, where it would be read as a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

HEADER: Final = "x-guildhall-last-words"
REMEMBER: Final = b"+"
FORGET: Final = b"-"

KEY_LENGTH: Final = 22
"""Characters: 16 random bytes in base64url."""

LONGEST: Final = 125 - KEY_LENGTH - 1
"""Bytes of one text."""

MOST: Final = 16
"""Texts of one socket."""

PONG: Final = 0x8A
"""How the frame begins, whole as every control frame is."""

_KEY: Final = re.compile(f"[A-Za-z0-9_-]{{{KEY_LENGTH}}}")


def read_key(values: Sequence[str]) -> str:
    """Give the key that a handshake bears, from all values of its header; empty if none."""
    return values[0] if len(values) == 1 and _KEY.fullmatch(values[0]) else ""


def remember(key: str, text: bytes) -> bytes:
    """Write the frame that announces a text.

    Args:
        key: of the handshake; nothing is written without one.
        text: in UTF-8; one that is longer than ``LONGEST`` is not announced.
    """
    return _frame(key, REMEMBER, text)


def forget(key: str, text: bytes) -> bytes:
    """Write the frame that takes a text back, if it could be announced."""
    return _frame(key, FORGET, text)


def _frame(key: str, sign: bytes, text: bytes) -> bytes:
    if not key or len(text) > LONGEST:
        return b""
    payload = key.encode("ascii") + sign + text
    return bytes((PONG, len(payload))) + payload
