"""Where events begin and end in a stream of server-sent events, so that it can end between two."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.upstream.answer_head import AnswerHead

MEDIA_TYPE: Final = b"text/event-stream"

# A blank line ends an event, whichever of the three line ends is used (HTML standard, 9.2.5).
_END: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LONGEST: Final = 4


def is_event_stream(head: AnswerHead) -> bool:
    """Tell whether an answer is a stream of events."""
    return any(
        name == b"content-type" and value.lower().startswith(MEDIA_TYPE)
        for name, value in head.headers
    )


class EventStream:
    """The state of one stream."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    @property
    def is_between(self) -> bool:
        """Whether no event is under way."""
        return not self._tail or self._tail.endswith((b"\n\n", b"\r\n\r\n", b"\r\r"))

    def take(self, data: bytes) -> None:
        """Follow a piece that is passed on."""
        self._tail = (self._tail + data)[-_LONGEST:]

    def rest(self, data: bytes) -> bytes | None:
        """Give what of a piece belongs to the event under way; None if it goes on after it."""
        before = len(self._tail)
        for found in _END.finditer(self._tail + data):
            if found.end() > before:
                return data[: found.end() - before]
        return None
