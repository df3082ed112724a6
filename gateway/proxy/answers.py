"""Writing answers in HTTP/1.1: which of a service's headers pass, and how the body is framed."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from gateway.pipeline.request_head import Headers

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_OURS: Final = frozenset(
    {
        b"date",
        b"server",
        b"x-request-id",
        b"x-ratelimit-limit",
        b"x-ratelimit-remaining",
        b"x-ratelimit-reset",
    }
)
_DROPPED: Final = _HOP_BY_HOP | _OURS
BODYLESS: Final = frozenset({204, 304})
NOSNIFF: Final = b"x-content-type-options"
NOSNIFF_LINE: Final = NOSNIFF + b": nosniff\r\n"


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


STATUS_LINES: Final = {status: _status_line(status) for status in range(100, 600)}

CONTINUE: Final = STATUS_LINES[100] + b"\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"
CLOSE: Final = b"connection: close\r\n"
CHUNKED: Final = b"transfer-encoding: chunked\r\n"


def passed(status: int, headers: Headers) -> tuple[list[bytes], bool]:
    """Choose what of a service's headers is passed on.

    Returns:
        Header lines with their ends, and whether one of them says how long the body is.
    """
    dropped: frozenset[bytes] | set[bytes] = _DROPPED
    for name, value in headers:
        if name == b"connection" and value.lower() not in (b"close", b"keep-alive"):
            dropped = dropped | {token.strip().lower() for token in value.split(b",")}
    lines: list[bytes] = []
    sized, sniffable = False, True
    for name, value in headers:
        if name in dropped:
            continue
        if name == b"content-length":
            if status in BODYLESS:
                continue
            sized = True
        elif name == NOSNIFF:
            sniffable = False
        lines.append(b"%b: %b\r\n" % (name, value))
    if sniffable:
        lines.append(NOSNIFF_LINE)
    return lines, sized


def lines_of(headers: Headers) -> list[bytes]:
    """Write headers of our own."""
    return [b"%b: %b\r\n" % header for header in headers]


def chunk(data: bytes) -> list[bytes]:
    """Frame a piece of a body whose length is not known."""
    return [b"%x\r\n" % len(data), data, b"\r\n"]
