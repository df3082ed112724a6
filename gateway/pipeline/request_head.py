"""Reading a request's headers once: what is forwarded, what is stripped, and what we need of it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

from gateway.pipeline import trace_context
from shared.errors import BadRequest, ServiceError, TooLarge
from shared.middleware import REQUEST_ID

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True, repr=False)
class Fields:
    """What a request's headers say; depends on nothing but them, so it may be remembered.

    Attributes:
        headers: as they were sent, names in lower case.
        lines: those that go on to the service, each after a line end.
        authorization: the values of ``Authorization``.
        token: the bearer token that they hold, or None.
        digest: its SHA-256, or empty.
        forwarded: the values of ``X-Forwarded-For``.
        origin: of the page that asks, or None.
        host: the ``Host`` line after a line end, or empty.
        length: of the body as announced, or None.
        is_chunked: whether the body comes in chunks.
        upgrade: the protocol asked for, lower case, or empty.
        request_id: the caller's, or empty.
        trace: the caller's ``traceparent`` and ``tracestate``, each after a line end, or empty.
        expects_continue: whether the caller waits for a word before it sends the body.
        keeps: whether the connection goes on after the request.
        fault: why the request's framing cannot be trusted, or None.
        version: of HTTP, ``1.0`` or ``1.1``.
        has_body: whether a body follows.
    """

    headers: Headers
    lines: bytes = b""
    authorization: list[bytes] = field(default_factory=list)
    token: bytes | None = None
    digest: bytes = b""
    forwarded: list[bytes] = field(default_factory=list)
    origin: bytes | None = None
    host: bytes = b""
    length: int | None = None
    is_chunked: bool = False
    upgrade: bytes = b""
    request_id: bytes = b""
    trace: bytes = b""
    expects_continue: bool = False
    keeps: bool = True
    fault: BadRequest | None = None
    version: str = "1.1"
    has_body: bool = False


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
_HOST: Final = re.compile(rb"[A-Za-z0-9._~:\[\]-]{0,300}")
_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,18}")


def read(headers: Headers, version: str = "1.1") -> Fields:
    """Read all headers in one pass.

    Args:
        headers: names in lower case.
        version: of HTTP, ``1.0`` or ``1.1``.
    """
    lines: list[bytes] = []
    seen: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in _READ:
            if name in seen:
                seen[name].append(value)
            else:
                seen[name] = [value]
        elif _is_stripped(name):
            continue
        else:
            lines.append(b"\r\n%b: %b" % (name, value))
            if name == b"origin":
                seen.setdefault(name, []).append(value)
    fields = Fields(headers, version=version)
    fields.authorization = seen.get(b"authorization", [])
    fields.forwarded = seen.get(b"x-forwarded-for", [])
    fields.origin = b",".join(seen[b"origin"]) if b"origin" in seen else None
    _read_token(fields)
    _read_names(fields, seen)
    try:
        _read_framing(fields, lines, seen, version)
    except BadRequest as error:
        fields.fault = error
    fields.has_body = fields.is_chunked or bool(fields.length)
    fields.lines = b"".join(lines)
    return fields


def _is_stripped(name: bytes) -> bool:
    if b"_" in name:
        # Some servers read an underscore like a dash, so a twin of what we say is ours, too.
        name = name.replace(b"_", b"-")
        if name in _READ:
            return True
    return name in _STRIPPED or (name[:2] == b"x-" and name.startswith(_STRIPPED_PREFIXES))


def _read_token(fields: Fields) -> None:
    if len(fields.authorization) == 1:
        scheme, _, rest = fields.authorization[0].partition(b" ")
        if scheme.lower() == b"bearer":
            fields.token = rest.strip(b" \t") or None
    if fields.token is not None:
        fields.digest = hashlib.sha256(fields.token).digest()


def _read_names(fields: Fields, seen: dict[bytes, list[bytes]]) -> None:
    wanted = seen.get(b"x-request-id")
    if wanted is not None and len(wanted) == 1 and _is_request_id(wanted[0]):
        fields.request_id = wanted[0]
    parents = seen.get(b"traceparent")
    if parents is not None:
        fields.trace = trace_context.passed_on(parents, seen.get(b"tracestate", ()))


def _is_request_id(value: bytes) -> bool:
    return value.isascii() and REQUEST_ID.fullmatch(value.decode("ascii")) is not None


def _read_framing(
    fields: Fields, lines: list[bytes], seen: dict[bytes, list[bytes]], version: str
) -> None:
    """Take only what two parsers cannot read in two ways (RFC 9112 section 6.3)."""
    hosts = seen.get(b"host", [])
    if len(hosts) > 1:
        raise BadRequest("More than one Host header")
    if not (_HOST.fullmatch(hosts[0]) if hosts else version == "1.0"):
        raise BadRequest("No Host header, or one that names no host")
    fields.host = b"\r\nhost: " + hosts[0] if hosts and hosts[0] else b""
    connection = seen.get(b"connection")
    if connection is not None:
        _drop_named(lines, connection)
        if b"upgrade" in b",".join(connection).lower():
            fields.upgrade = b",".join(seen.get(b"upgrade", [])).lower()
    expected = seen.get(b"expect")
    if expected is not None and version == "1.1":
        fields.expects_continue = expected[0].strip().lower() == b"100-continue"
    lengths, codings = seen.get(b"content-length"), seen.get(b"transfer-encoding")
    if lengths is not None:
        if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]) or codings is not None:
            raise BadRequest("The body's length is ambiguous")
        fields.length = int(lengths[0])
    if codings is not None:
        if [coding.strip().lower() for coding in codings] != [b"chunked"] or version != "1.1":
            raise BadRequest("The transfer coding is not chunked alone")
        fields.is_chunked = True


def _drop_named(lines: list[bytes], connection: list[bytes]) -> None:
    """Strip the headers that ``Connection`` names."""
    named = {token.strip().lower() for token in b",".join(connection).split(b",")}
    named -= {b"close", b"keep-alive", b"upgrade", b"te", b""}
    # What was verified must arrive: a service tells repeats by their signature.
    named = {name for name in named if not name.startswith(b"x-trc-")}
    if named:
        lines[:] = [line for line in lines if line[2:].partition(b":")[0] not in named]


def fault_of(fields: Fields, limit: int) -> ServiceError | None:
    """Say why a request is not taken, if so: its framing, or a body announced as too large."""
    if fields.fault is not None:
        return fields.fault
    return TooLarge() if fields.length is not None and fields.length > limit else None


def shows_bearer(fields: Fields) -> bool:
    """Tell whether a bearer token is shown, if only an empty one."""
    return any(value[:6].lower() == b"bearer" for value in fields.authorization)
