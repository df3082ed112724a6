"""The opening handshake (RFC 6455 section 4), strict towards both ends.

A caller whose handshake is not one is refused before a service hears of it. Extensions are never
offered on, so that no compression keeps memory for each connection, and a service that uses one all
the same, or proves nothing, has given no answer.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from gateway.pipeline.request_head import Fields, Headers
from shared import last_words
from shared.errors import BadGateway, BadRequest, UpgradeRequired

Holds = Callable[[float], Awaitable[bool]]
"""Tells whether the login behind a socket still holds, at a moment of the forward-going clock."""

SWITCHING: Final = 101
VERSION: Final = b"13"

ANSWER_LINES: Final = b"connection: Upgrade\r\nupgrade: websocket\r\n"

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16
_EXTENSIONS: Final = b"sec-websocket-extensions"
_OURS: Final = frozenset(
    {
        b"connection",
        b"upgrade",
        b"content-length",
        b"transfer-encoding",
        b"sec-websocket-accept",
        b"sec-websocket-protocol",
        _EXTENSIONS,
    }
)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a caller's handshake offers.

    Attributes:
        accept: what proves that the service has understood it.
        protocols: of which the service may choose one.
    """

    accept: bytes
    protocols: frozenset[bytes]


def asks_for_socket(headers: Headers) -> bool:
    """Tell whether a request asks to speak WebSocket from then on."""
    asks_to_switch = b"upgrade" in _tokens(headers, b"connection")
    return asks_to_switch and b"websocket" in _tokens(headers, b"upgrade")


def read_offer(method: str, fields: Fields) -> Offer:
    """Check a caller's handshake.

    Args:
        method: of the request, upper case.
        fields: what its headers say.

    Raises:
        BadRequest: it is no handshake.
        UpgradeRequired: it is one of another version; the headers name ours.
    """
    headers = fields.headers
    if method != "GET" or fields.version != "1.1" or fields.has_body:
        raise _fault("A WebSocket is opened by GET in HTTP/1.1, without a body")
    versions = _values(headers, b"sec-websocket-version")
    if not versions:
        raise _fault("Sec-WebSocket-Version is missing")
    if versions != [VERSION]:
        ours = {"sec-websocket-version": "13", "upgrade": "websocket", "connection": "upgrade"}
        raise UpgradeRequired("Sec-WebSocket-Version must be 13", headers=ours)
    keys = _values(headers, b"sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise _fault("Sec-WebSocket-Key must be 16 bytes in base64")
    protocols = _values(headers, b"sec-websocket-protocol")
    offered = {name.strip(b" \t") for name in b",".join(protocols).split(b",")} - {b""}
    return Offer(accept_for(keys[0]), frozenset(offered))


def accept_for(key: bytes) -> bytes:
    """Give what answers a ``Sec-WebSocket-Key``."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def without_extensions(lines: bytes) -> bytes:
    """Leave out of a request's header lines, each after a line end, what offers extensions."""
    kept = (line for line in lines.split(b"\r\n") if not line.startswith(_EXTENSIONS + b":"))
    return b"\r\n".join(kept)


def request_lines(key: bytes) -> bytes:
    """Write what ends the head of a request for a socket.

    Args:
        key: with which the service may announce its last words.
    """
    lines = b"\r\n%b: %b\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"
    return lines % (last_words.HEADER.encode("ascii"), key)


def check_answer(version: str, headers: Headers, offer: Offer) -> Headers:
    """Check a service's 101 and give those of its headers that pass on.

    Args:
        version: of HTTP in which it answered.
        headers: names in lower case.
        offer: what the caller sent.

    Raises:
        BadGateway: it does not answer this handshake.
    """
    accepts = _values(headers, b"sec-websocket-accept")
    protocols = _values(headers, b"sec-websocket-protocol")
    if (
        version != "1.1"
        or b"upgrade" not in _tokens(headers, b"connection")
        or _tokens(headers, b"upgrade") != [b"websocket"]
        or accepts != [offer.accept]
        or len(protocols) > 1
        or not offer.protocols.issuperset(protocols)
        or any(_values(headers, _EXTENSIONS))
    ):
        raise BadGateway
    kept = [header for header in headers if header[0] not in _OURS]
    kept.append((b"sec-websocket-accept", offer.accept))
    kept.extend((b"sec-websocket-protocol", name) for name in protocols)
    return kept


def _fault(message: str) -> BadRequest:
    return BadRequest(message, code="bad_handshake")


def _values(headers: Headers, wanted: bytes) -> list[bytes]:
    return [value.strip(b" \t") for name, value in headers if name == wanted]


def _tokens(headers: Headers, name: bytes) -> list[bytes]:
    return [word.strip(b" \t").lower() for word in b",".join(_values(headers, name)).split(b",")]


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == _KEY_BYTES and len(value) == 24
    except binascii.Error:
        return False
