"""How events are written and cursors read (WHATWG HTML, "Server-sent events")."""

from __future__ import annotations

import re
from typing import Final

from services.learnings.stream.models import StreamEvent
from shared.errors import Invalid

RECONNECT: Final = b"retry: 5000\n\n"
HEARTBEAT: Final = b": still here\n\n"

_NUMBER: Final = re.compile(r"\d{1,18}")


def cursor_of(last_event_id: str) -> int | None:
    """Read ``Last-Event-ID``; None where it is absent or empty.

    Raises:
        Invalid: it is no number that a stream could have given.
    """
    sent = last_event_id.strip()
    if not sent:
        return None
    if not _NUMBER.fullmatch(sent) or not sent.isascii():
        message = "must be the id of an event of this stream"
        raise Invalid.field("header", "Last-Event-ID", msg=message, type="int_parsing")
    return int(sent)


def written(event: StreamEvent) -> bytes:
    """Write one event; its data holds no line break, because JSON escapes them."""
    text = f"id: {event.sequence}\nevent: {event.name}\ndata: {event.data}\n\n"
    return text.encode()
