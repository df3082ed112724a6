"""Where frames begin and end: the headers of RFC 6455 section 5.2 are read, payloads only counted.

Whoever knows where a frame ends can say goodbye between two of them. Nothing is unmasked, decoded
or kept, so a message of any size passes in the pieces in which it came.
"""

from __future__ import annotations

from typing import Final

GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
POLICY: Final = 1008
TOO_BIG: Final = 1009
INTERNAL: Final = 1011
RESTART: Final = 1012

_CONTINUATION: Final = 0x0
_TEXT: Final = 0x1
_CLOSE: Final = 0x8
_PONG: Final = 0xA
_DATA: Final = frozenset({0x0, 0x1, 0x2})
_CONTROL: Final = frozenset({0x8, 0x9, 0xA})
_LONGEST_CONTROL: Final = 125


class Violation(Exception):
    """A frame that may not pass.

    Attributes:
        code: to close with.
        reason: for the one who sent it.
        passed: what came before it and may still pass.
    """

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        self.passed = b""
        super().__init__(reason)


class Frames:
    """Follows the frames of one direction.

    Args:
        is_masked: whether they must be, because a client sends them.
        limit: most bytes of a message, over all its frames; 0 for any number.

    Attributes:
        is_masked: as given.
        left: bytes of the current frame that are still to come; 0 between two frames.
        is_fragmented: whether the current message goes on in another frame.
        is_closed: whether a Close frame has passed as a whole; nothing follows it.
    """

    __slots__ = (
        "_held",
        "_is_closing",
        "_limit",
        "_size",
        "is_fragmented",
        "is_masked",
        "left",
    )

    def __init__(self, *, is_masked: bool, limit: int = 0) -> None:
        self.is_masked = is_masked
        self._limit = limit
        self._held = b""
        self._size = 0
        self.is_fragmented = False
        self._is_closing = False
        self.left = 0

    @property
    def is_closed(self) -> bool:
        """Tell whether this direction has had its Close."""
        return self._is_closing and not self.left

    def feed(self, data: bytes) -> bytes:
        """Read a piece and give what of it, and of what was held back, passes on.

        The header of a frame is held back until it is whole, so that what has passed on ends in a
        payload or between two frames. What follows a Close is dropped.

        Raises:
            Violation: of the protocol, or of the limit.
        """
        if self._held:
            data, self._held = self._held + data, b""
        size, at = len(data), self.left
        while at < size:
            if self._is_closing:
                self.left = 0
                return data[:at]
            try:
                length = self._read_header(data, at, size)
            except Violation as fault:
                fault.passed = data[:at]
                self.left = 0
                raise
            if not length:
                self._held, self.left = data[at:], 0
                return data[:at]
            at += length
        self.left = at - size
        return data

    def _read_header(self, data: bytes, at: int, size: int) -> int:
        """Give the length of the frame that begins there, or 0 while its header is not whole."""
        if size - at < 2:
            return 0
        first, second = data[at], data[at + 1]
        self._check(first, second)
        start, length = at + 2, second & 0x7F
        if length >= 126:
            start += 2 if length == 126 else 8
            if size < start:
                return 0
            length = int.from_bytes(data[at + 2 : start], "big")
        if self.is_masked:
            start += 4
            if size < start:
                return 0
        opcode = first & 0x0F
        if opcode in _DATA:
            self._count(length)
            self.is_fragmented = not first & 0x80
            if not self.is_fragmented:
                self._size = 0
        elif opcode == _CLOSE:
            self._is_closing = True
        elif opcode == _PONG:
            return self._read_pong(data, at, start - at + length)
        return start - at + length

    def _read_pong(self, data: bytes, at: int, length: int) -> int:
        """Give the length of a Pong that begins there; 0 if it is to be held back for now."""
        return length

    def _check(self, first: int, second: int) -> None:
        opcode = first & 0x0F
        if first & 0x70:
            raise Violation(PROTOCOL_ERROR, "reserved bits")
        if bool(second & 0x80) != self.is_masked:
            raise Violation(PROTOCOL_ERROR, "masking")
        if opcode in _CONTROL:
            if not first & 0x80 or second & 0x7F > _LONGEST_CONTROL:
                raise Violation(PROTOCOL_ERROR, "control frame")
        elif opcode not in _DATA:
            raise Violation(PROTOCOL_ERROR, "opcode")
        elif (opcode == _CONTINUATION) != self.is_fragmented:
            raise Violation(PROTOCOL_ERROR, "fragment")

    def _count(self, length: int) -> None:
        self._size += length
        if length >> 63:
            raise Violation(PROTOCOL_ERROR, "length")
        if self._limit and self._size > self._limit:
            raise Violation(TOO_BIG, "message too big")


def text_frame(payload: bytes) -> bytes:
    """Write a short text as a server does, whole and unmasked.

    Args:
        payload: at most 125 bytes of UTF-8.
    """
    return bytes((0x80 | _TEXT, len(payload))) + payload


def close_frame(code: int, reason: str = "", mask: bytes = b"") -> bytes:
    """Write a Close frame (RFC 6455 section 5.5.1).

    Args:
        code: why.
        reason: the same in a few words of ASCII.
        mask: four bytes nobody can guess, where a server is to read it.
    """
    payload = code.to_bytes(2, "big") + reason.encode("ascii")
    if mask:
        payload = bytes(byte ^ mask[index & 3] for index, byte in enumerate(payload))
    return bytes((0x80 | _CLOSE, len(payload) | (0x80 if mask else 0))) + mask + payload
