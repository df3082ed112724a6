"""Reading a request's head once: what is forwarded, what is stripped, and what we need of it."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from itertools import count
from typing import Final

from shared.errors import BadRequest
from shared.middleware import REQUEST_ID

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head as a server's parser gives it.

    Attributes:
        method: upper case.
        path: percent-decoded.
        target: path and query as they were sent; forwarded unchanged.
        query: as it was sent, without the question mark.
        headers: names in lower case.
        peer: the address at the other end of the connection.
        version: of HTTP, ``1.0`` or ``1.1``.
    """

    method: str
    path: str
    target: bytes
    query: bytes
    headers: Headers
    peer: str
    version: str = "1.1"


@dataclass(slots=True)
class Parsed:
    """What the headers say.

    Attributes:
        lines: the header lines that go on to the service.
        authorization: the values of ``Authorization``.
        forwarded: the values of ``X-Forwarded-For``.
        host: of the request, or empty.
        length: of the body as announced, or None.
        chunked: whether the body comes in chunks.
        upgrade: the protocol asked for, lower case, or empty.
        request_id: the caller's, or one of ours.
        expects_continue: whether the caller waits for a word before it sends the body.
        trace: ``traceparent`` and ``tracestate`` lines for the service.
        fault: why the request's framing cannot be trusted, or None.
    """

    lines: list[bytes]
    authorization: list[bytes]
    forwarded: list[bytes]
    host: bytes = b""
    length: int | None = None
    chunked: bool = False
    upgrade: bytes = b""
    request_id: bytes = b""
    trace: bytes = b""
    expects_continue: bool = False
    fault: BadRequest | None = None

    @property
    def has_body(self) -> bool:
        """Whether a body follows."""
        return self.chunked or bool(self.length)


# Hop-by-hop headers (RFC 9110 section 7.6.1), what we write ourselves, and what only we may say.
_STRIPPED: Final = frozenset(
    {
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"http2-settings",
        b"forwarded",
        b"x-real-ip",
        b"x-client-ip",
        b"via",
    }
)
_READ: Final = frozenset(
    {
        b"authorization",
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"traceparent",
        b"tracestate",
        b"transfer-encoding",
        b"upgrade",
        b"x-forwarded-for",
        b"x-request-id",
    }
)
_STRIPPED_PREFIXES: Final = (b"x-guildhall-", b"x-forwarded-")
_TRACEPARENT: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_OWN_IDS: Final = f"req_{secrets.token_hex(6)}"
_numbers: Final = count(1)


def read(head: Head) -> Parsed:
    """Read all headers in one pass."""
    lines: list[bytes] = []
    seen: dict[bytes, list[bytes]] = {}
    for name, value in head.headers:
        if name in _READ:
            if name in seen:
                seen[name].append(value)
            else:
                seen[name] = [value]
        elif name in _STRIPPED or (name[:2] == b"x-" and name.startswith(_STRIPPED_PREFIXES)):
            continue
        else:
            lines.append(name + b": " + value)
    parsed = Parsed(lines, seen.get(b"authorization", []), seen.get(b"x-forwarded-for", []))
    _read_names(parsed, seen)
    try:
        _read_framing(parsed, seen, head)
    except BadRequest as error:
        parsed.fault = error
    return parsed


def _read_names(parsed: Parsed, seen: dict[bytes, list[bytes]]) -> None:
    wanted = seen.get(b"x-request-id")
    if wanted is not None and len(wanted) == 1 and _is_request_id(wanted[0]):
        parsed.request_id = wanted[0]
    else:
        parsed.request_id = f"{_OWN_IDS}{next(_numbers):x}".encode()
    trace = seen.get(b"traceparent")
    if trace is not None and len(trace) == 1 and _TRACEPARENT.fullmatch(trace[0]):
        parsed.trace = b"traceparent: " + trace[0]
        for state in seen.get(b"tracestate", ()):
            parsed.trace += b"\r\ntracestate: " + state
    else:
        digits = os.urandom(24).hex()
        parsed.trace = f"traceparent: 00-{digits[:32]}-{digits[32:]}-00".encode()


def _is_request_id(value: bytes) -> bool:
    return value.isascii() and REQUEST_ID.fullmatch(value.decode("ascii")) is not None


def _read_framing(parsed: Parsed, seen: dict[bytes, list[bytes]], head: Head) -> None:
    """Take only what two parsers cannot read in two ways (RFC 9112 section 6.3)."""
    hosts = seen.get(b"host", [])
    if len(hosts) > 1:
        raise BadRequest("More than one Host header")
    parsed.host = hosts[0] if hosts else b""
    connection = seen.get(b"connection")
    if connection is not None:
        _drop_named(parsed, connection)
        if b"upgrade" in b",".join(connection).lower():
            parsed.upgrade = b",".join(seen.get(b"upgrade", [])).lower()
    expected = seen.get(b"expect")
    if expected is not None:
        parsed.expects_continue = expected[0].strip().lower() == b"100-continue"
    lengths, codings = seen.get(b"content-length"), seen.get(b"transfer-encoding")
    if lengths is not None:
        if len(lengths) > 1 or not lengths[0].isdigit() or codings is not None:
            raise BadRequest("The body's length is ambiguous")
        parsed.length = int(lengths[0][:20])
    if codings is not None:
        if [coding.strip().lower() for coding in codings] != [b"chunked"] or head.version != "1.1":
            raise BadRequest("The transfer coding is not chunked alone")
        parsed.chunked = True


def _drop_named(parsed: Parsed, connection: list[bytes]) -> None:
    """Strip the headers that ``Connection`` names."""
    named = {token.strip().lower() for token in b",".join(connection).split(b",")}
    named -= {b"close", b"keep-alive", b"upgrade", b"te", b""}
    # What was verified must arrive: a service tells repeats by their signature.
    named = {name for name in named if not name.startswith(b"x-trc-")}
    if named:
        parsed.lines[:] = [line for line in parsed.lines if line.partition(b":")[0] not in named]
