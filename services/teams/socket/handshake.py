"""Who asks for a socket (section 10.1), and how one is refused.

The gateway has verified the ticket and says so in its assertion; the ticket stays there.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from shared import last_words
from shared.errors import Forbidden, ServiceError, Unauthenticated, UnknownPath
from shared.principal import ASSERTION_HEADER, Kind, verify_assertion
from shared.surfaces import Surface, render

PATH: Final = "/socket/websocket"
SERVICE: Final = "teams"
VERSION: Final = "2.0.0"
"""Of Phoenix's message format; version 1 has other messages."""


def read_token(request: Request, key: bytes, now: float) -> str:
    """Give the machine that asks.

    Args:
        request: the opening handshake.
        key: the 32 bytes shared with the gateway.
        now: Unix seconds.

    Raises:
        UnknownPath: there are no sockets at that path.
        Forbidden: the gateway does not vouch for a machine, or the client speaks another version.
    """
    path, _, query = request.path.partition("?")
    if path != PATH:
        raise UnknownPath
    assertions = request.headers.get_all(ASSERTION_HEADER)
    if len(assertions) != 1:
        raise Forbidden
    try:
        principal = verify_assertion(key, SERVICE, assertions[0], now)
    except Unauthenticated:
        raise Forbidden from None
    versions = parse_qs(query).get("vsn", [VERSION])
    if principal.kind is not Kind.MACHINE or versions[-1].partition(".")[0] != "2":
        raise Forbidden
    return principal.subject


def read_key(request: Request) -> str:
    """Give the key with which last words are announced; empty if the gateway wants none."""
    return last_words.read_key(request.headers.get_all(last_words.HEADER))


def refusal(error: ServiceError) -> Response:
    """Give the HTTP answer that refuses a socket, in the words of the surface."""
    rendered = render(Surface.TEAMS, error)
    headers = Headers(list(rendered.headers.items()))
    headers["Content-Length"] = str(len(rendered.body))
    headers["Connection"] = "close"
    phrase = HTTPStatus(rendered.status).phrase
    return Response(rendered.status, phrase, headers, rendered.body)
