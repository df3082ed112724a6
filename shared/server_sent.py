"""How server-sent events are written and their cursors read (WHATWG HTML, "Server-sent events")."""

from __future__ import annotations

import re
from typing import Final

from shared.errors import Invalid

RECONNECT: Final = b"retry: 5000\n\n"
HEARTBEAT: Final = b": still here\n\n"

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""Of the answer: nobody may keep it, or hold it back until there is more."""

_NUMBER: Final = re.compile(r"\d{1,18}", re.ASCII)


def cursor_of(last_event_id: str, *place: str) -> int | None:
    """Read ``Last-Event-ID``; None where it is absent or empty.

    Args:
        last_event_id: as sent.
        place: where it was, if not in the header.

    Raises:
        Invalid: it is no number that a stream could have given.
    """
    sent = last_event_id.strip()
    if not sent:
        return None
    if not _NUMBER.fullmatch(sent):
        message = "must be the id of an event of this stream"
        raise Invalid.field(
            *(place or ("header", "Last-Event-ID")), msg=message, type="int_parsing"
        )
    return int(sent)


def written(number: int, name: str, data: str) -> bytes:
    """Write one event; its data holds no line break, because JSON escapes them."""
    return f"id: {number}\nevent: {name}\ndata: {data}\n\n".encode()
