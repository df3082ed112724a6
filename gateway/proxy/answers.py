"""Writing answers in HTTP/1.1: which of a service's headers pass, and how the body is framed."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from gateway.pipeline import cors, security_headers
from gateway.pipeline.decisions import Request
from gateway.pipeline.request_head import Headers
from gateway.pipeline.security_headers import SecurityHeaders
from gateway.upstream.answer_head import BODYLESS, AnswerHead

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
        b"ratelimit",
        b"ratelimit-policy",
        b"x-request-id",
        b"x-ratelimit-limit",
        b"x-ratelimit-remaining",
        b"x-ratelimit-reset",
    }
)
_DROPPED: Final = _HOP_BY_HOP | _OURS | cors.OWNED | security_headers.OWNED


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


STATUS_LINES: Final = {status: _status_line(status) for status in range(100, 600)}

CONTINUE: Final = STATUS_LINES[100] + b"\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"
CLOSE_END: Final = b"connection: close\r\n\r\n"
CHUNKED: Final = b"transfer-encoding: chunked\r\n"


def answered(head: AnswerHead, request: Request) -> bytes:
    """Write the status line and all headers but the connection's own: the service's and ours."""
    passed = head.passed or pass_on(head)
    lines = varied(head.vary, request) if head.vary else request.lines
    return b"%b%b%b" % (passed, request.security[head.said], lines)


def varied(vary: Sequence[bytes], request: Request) -> bytes:
    """Give our lines for an answer that has a ``Vary`` of its own, both in one header."""
    ours = request.lines[: len(request.lines) - len(request.cors)]
    return ours + cors.merge_vary(request.cors, vary)


def own(headers: Headers, request: Request, security: SecurityHeaders) -> bytes:
    """Write all headers of an answer of the gateway's own, but the connection's."""
    vary = [value for name, value in headers if name == b"vary"]
    kept = security.around(header for header in headers if header[0] != b"vary")
    return kept + (varied(vary, request) if vary else request.lines)


def pass_on(head: AnswerHead) -> bytes:
    """Write the status line and what of a service's headers is passed on, and remember it."""
    dropped: frozenset[bytes] | set[bytes] = _DROPPED
    for name, value in head.headers:
        if name == b"connection" and value.lower() not in (b"close", b"keep-alive"):
            dropped = dropped | {token.strip().lower() for token in value.split(b",")}
    if head.status in BODYLESS:
        dropped = dropped | {b"content-length"}
    lines = [STATUS_LINES[head.status]]
    for name, value in head.headers:
        if name in dropped:
            continue
        if name == b"vary":
            head.vary.append(value)
            continue
        head.said |= security_headers.SPEAKS.get(name, 0)
        lines.append(b"%b: %b\r\n" % (name, value))
    head.passed = b"".join(lines)
    return head.passed


def chunk(data: bytes) -> list[bytes]:
    """Frame a piece of a body whose length is not known."""
    return [b"%x\r\n" % len(data), data, b"\r\n"]
