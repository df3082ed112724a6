"""What passes over a socket: Phoenix messages (section 10.2), in frames of RFC 6455.

A message is a JSON array ``[join_ref, ref, topic, event, payload]``.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from shared import last_words

LONGEST_REF: Final = 128
LONGEST_TOPIC: Final = 256
"""Characters; what is joined is kept, so a client may not make it long."""

EMPTY: Final = b"{}"

_PARTS: Final = 5
_TEXT: Final = 0x81
_HEADS_KEPT: Final = 64


class BadFrame(ValueError):
    """A text that is no message."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a client says. Both refs are echoed as they came; ``size`` counts characters."""

    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: dict[str, Any]
    size: int = 0


def read(text: str) -> Message:
    """Read one message.

    Raises:
        BadFrame: it is no JSON, is nested too deeply, or has wrong types.
    """
    try:
        parts = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise BadFrame from None
    if not isinstance(parts, list) or len(parts) != _PARTS:
        raise BadFrame
    join_ref, ref, topic, event, payload = parts
    if not (_is_ref(join_ref) and _is_ref(ref) and isinstance(payload, dict)):
        raise BadFrame
    if not (_is_word(topic, LONGEST_TOPIC) and _is_word(event, LONGEST_TOPIC)):
        raise BadFrame
    return Message(join_ref, ref, topic, event, payload, len(text))


def _refuse(name: str) -> NoReturn:
    """Python reads NaN and Infinity, which no JSON has."""
    raise ValueError(name)


def _is_ref(value: object) -> bool:
    return value is None or _is_word(value, LONGEST_REF)


def _is_word(value: object, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest


def ok(message: Message, response: bytes = EMPTY) -> bytes:
    """Write the frame that answers a message; ``response`` is a JSON object."""
    return _reply(message, b'{"status":"ok","response":%b}' % response)


def error(message: Message, reason: str) -> bytes:
    """Write the frame that refuses what a message asks."""
    said = json.dumps({"status": "error", "response": {"reason": reason}}, separators=(",", ":"))
    return _reply(message, said.encode())


def _reply(message: Message, payload: bytes) -> bytes:
    return framed(_start(message.join_ref, message.ref, message.topic, "phx_reply") + payload, b"]")


def closed(join_ref: str | None, topic: str) -> bytes:
    """Write the frame after which a client comes back (section 10.5)."""
    return framed(_close(join_ref, topic))


def last_word(join_ref: str | None, topic: str) -> bytes:
    """Write the same as a text for the gateway, to be said if the process dies.

    Without a ``join_ref`` that is too long for it: clients of Phoenix take what has none.
    """
    text = _close(join_ref, topic)
    return text if len(text) <= last_words.LONGEST else _close(None, topic)


def _close(join_ref: str | None, topic: str) -> bytes:
    return _start(join_ref, join_ref, topic, "phx_close") + b"{}]"


def crashed(join_ref: str | None, topic: str) -> bytes:
    """Write the frame that says that a topic has failed."""
    return framed(_start(join_ref, join_ref, topic, "phx_error"), b"{}]")


class Push:
    """One message for many sockets: its payload is written once, and shared by all of them.

    Args:
        topic: on which it is said.
        event: such as ``knowledge:updated``.
        payload: a JSON object.
    """

    __slots__ = ("_event", "_heads", "_tail", "_topic")

    def __init__(self, topic: str, event: str, payload: bytes) -> None:
        self._topic = topic
        self._event = event
        self._tail = payload + b"]"
        self._heads: dict[str | None, bytes] = {}

    def pieces(self, join_ref: str | None) -> tuple[bytes, bytes]:
        """Give what one socket is sent: a few bytes of its own, and the very same for everybody."""
        head = self._heads.get(join_ref)
        if head is None:
            start = _start(join_ref, None, self._topic, self._event)
            head = _head(len(start) + len(self._tail)) + start
            # Clients number their joins alike, so there are few; others could choose theirs.
            if len(self._heads) < _HEADS_KEPT:
                self._heads[join_ref] = head
        return head, self._tail


def _start(join_ref: str | None, ref: str | None, topic: str, event: str) -> bytes:
    # ASCII throughout: half a surrogate pair in a ref is echoed as it came.
    return json.dumps([join_ref, ref, topic, event], separators=(",", ":"))[:-1].encode() + b","


def framed(*pieces: bytes) -> bytes:
    """Make one unmasked text frame of a payload (RFC 6455 section 5.2)."""
    payload = b"".join(pieces)
    return _head(len(payload)) + payload


def _head(length: int) -> bytes:
    if length < 126:
        return bytes((_TEXT, length))
    if length < 65_536:
        return struct.pack("!BBH", _TEXT, 126, length)
    return struct.pack("!BBQ", _TEXT, 127, length)
