"""The head of a service's answer, and the heads that were seen of late."""

from __future__ import annotations

from typing import Final

Headers = list[tuple[bytes, bytes]]

CAPACITY: Final = 256
"""Heads remembered; then all make room."""

MOST_BYTES: Final = 2048
"""Of a head that is remembered."""

MOST_BODY: Final = 65_536
"""Bytes of a body that may come together with a remembered head."""

BODYLESS: Final = frozenset({204, 304})
"""Answers that never have a body, whatever their headers say (RFC 9112 section 6.3)."""


class AnswerHead:
    """Status and headers of an answer.

    Args:
        status: 200 to 599.
        headers: names in lower case.
        length: bytes of the body; None where only its end will tell.

    Attributes:
        passed: status line and headers as the caller gets them, once somebody has made them.
        said: what they say of security, so that we do not: bits of ``SPEAKS``.
        vary: the values of ``Vary``, which is not among them.
    """

    __slots__ = ("headers", "length", "passed", "said", "status", "vary")

    def __init__(self, status: int, headers: Headers, length: int | None) -> None:
        self.status = status
        self.headers = headers
        self.length = length
        self.passed = b""
        self.said = 0
        self.vary: list[bytes] = []


class AnswerMemory:
    """Heads of late answers by their bytes, because a service says the same things over and over.

    Only heads of answers that came in one piece, whole, from a connection that goes on are kept;
    what the parser made of the same bytes then, it would make of them again.
    """

    def __init__(self) -> None:
        self._heads: dict[bytes, AnswerHead] = {}

    def find(self, data: bytes) -> tuple[AnswerHead, bytes] | None:
        """Split what is one whole answer with a known head, or give None."""
        end = data.find(b"\r\n\r\n") + 4
        head = self._heads.get(data[:end])
        if head is None or head.length != len(data) - end:
            return None
        return head, data[end:]

    def keep(self, data: bytes, head: AnswerHead) -> None:
        """Remember the head of one whole answer that the parser has read."""
        end = data.find(b"\r\n\r\n") + 4
        if head.length != len(data) - end or end > MOST_BYTES or head.length > MOST_BODY:
            return
        if len(self._heads) >= CAPACITY:
            self._heads.clear()
        self._heads[data[:end]] = head
