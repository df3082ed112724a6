"""Session tickets: how a machine says who it is when it opens a socket (teams contract, 10.1).

A ticket is ``<unix seconds>.<token>.<signature>`` in the query, signed over ``<unix seconds>.
<token>``. It may be used again inside its window, because clients reconnect with the same one. Like
every credential in a query it reaches neither a log nor a service: the service is told the
principal, and the rest of the query as it was sent.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_plus

from gateway.signed_requests.signature import (
    BAD_FORMAT,
    BadProof,
    check_signature,
    read_key,
    read_signature,
    read_timestamp,
)

NAME: Final = "ticket"
NO_TICKET: Final = "missing or ambiguous ticket"

LONGEST: Final = 512
"""Characters of a ticket; one that holds has about 150."""

_PARTS: Final = 3


def verify(query: bytes, now: float) -> str:
    """Check the ticket in a query and give the token of the machine that signed it.

    Args:
        query: as it was sent, without the question mark.
        now: Unix seconds.

    Raises:
        BadProof: there is no ticket, or it does not hold.
    """
    values = [_decode(value) for name, _, value in _fields(query) if _is_ticket(name)]
    if len(values) != 1 or not 0 < len(values[0]) <= LONGEST:
        raise BadProof(NO_TICKET)
    parts = values[0].split(".", _PARTS - 1)
    if len(parts) != _PARTS:
        raise BadProof(BAD_FORMAT)
    timestamp, token, signature = parts
    stamp = read_timestamp((timestamp.encode(),), int(now))
    key = read_key(token)
    message = stamp + b"." + token.encode()
    check_signature(token, key, read_signature((signature.encode(),)), message)
    return token


def without_field(target: bytes, name: str) -> bytes:
    """Take a field of the query out of a request's target and leave the rest as it was sent."""
    path, _, query = target.partition(b"?")
    rest = b"&".join(b"".join(field) for field in _fields(query) if _decode(field[0]) != name)
    return b"%b?%b" % (path, rest) if rest else path


def _fields(query: bytes) -> list[tuple[bytes, bytes, bytes]]:
    return [field.partition(b"=") for field in query.split(b"&")]


def _is_ticket(name: bytes) -> bool:
    return _decode(name) == NAME


def _decode(text: bytes) -> str:
    return unquote_plus(text.decode("latin-1"), errors="replace")
