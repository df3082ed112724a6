"""CORS: which pages may call which surface from a browser, said in one place (Fetch standard).

A page is known by its origin, compared byte for byte with the origins of the settings, which are
written as browsers write them (RFC 6454, section 6.2). ``null`` is nobody's. No answer ever allows
credentials: callers show theirs in headers that a page must set itself, and the cookie of a web
session is for the gateway's own pages alone. So ``*`` may be configured.

What an answer says depends on the surface and the origin only. All of it is written when the
gateway starts, and a request costs two look-ups.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

from pydantic_core import from_json

from gateway.route_table import Row
from shared.surfaces import Surface, surface_of

Origins = frozenset[bytes]

ANY: Final = b"*"
NONE: Final = "none"
"""The word of a setting for no origin at all, where a default would else count."""

VARY_LINE: Final = b"vary: origin\r\n"

OWNED: Final = frozenset(
    {
        b"access-control-allow-credentials",
        b"access-control-allow-headers",
        b"access-control-allow-methods",
        b"access-control-allow-origin",
        b"access-control-allow-private-network",
        b"access-control-expose-headers",
        b"access-control-max-age",
    }
)
"""What services may say in vain: only the gateway speaks of this."""

MAX_AGE: Final = b"86400"
"""Seconds; every real answer is judged anyway (teams contract, section 2)."""

_HEADERS: Final = {
    Surface.LEARNINGS: (
        b"authorization, content-type, idempotency-key, if-none-match, if-range, last-event-id, "
        b"range, traceparent, tracestate, x-amz-checksum-sha256, x-request-id"
    ),
    Surface.RUNS: (
        b"authorization, content-type, idempotency-key, if-match, if-none-match, if-range, "
        b"last-event-id, range, traceparent, tracestate, x-request-id"
    ),
    Surface.TEAMS: (
        b"content-type, x-trc-signature, x-trc-timestamp, x-trc-token, x-teamrc-version, "
        b"authorization, if-none-match, traceparent, tracestate, x-request-id"
    ),
    Surface.AGENTS: (
        b"authorization, content-type, idempotency-key, last-event-id, traceparent, tracestate, "
        b"x-request-id"
    ),
}
_METHODS: Final = {
    Surface.LEARNINGS: b"GET, POST, PUT, PATCH, DELETE, OPTIONS",
    Surface.RUNS: b"GET, POST, PUT, PATCH, DELETE, OPTIONS",
    Surface.TEAMS: b"GET, POST, PATCH, DELETE, OPTIONS",
    Surface.AGENTS: b"GET, POST, PUT, PATCH, DELETE, OPTIONS",
}
_READABLE: Final = (
    b"x-request-id, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, ratelimit, "
    b"ratelimit-policy, retry-after"
)
_ALSO_READABLE: Final = {
    Surface.LEARNINGS: (
        b", accept-ranges, content-disposition, content-range, digest, etag, idempotent-replay, "
        b"link, location, x-total-count"
    ),
    Surface.RUNS: (
        b", accept-ranges, content-disposition, content-range, etag, idempotent-replay, link, "
        b"location, x-total-count"
    ),
    Surface.TEAMS: b", content-disposition, etag, idempotent-replay, x-next-after, x-pii-access",
    Surface.AGENTS: b", deprecation, etag, link, location, sunset, x-total-count",
}

_ORIGIN: Final = re.compile(
    r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?)(?::([0-9]{1,5}))?/?"
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def parse_origins(text: str) -> Origins:
    """Read origins: separated by white space or commas, or a JSON list (runs contract, section 14).

    They are brought into the form that browsers send: lower case, without a default port.

    Raises:
        ValueError: saying which is no origin, or that something stands beside ``*``.
    """
    words = _words(text)
    if words == [NONE]:
        return frozenset()
    if "*" in words:
        if len(words) > 1:
            raise ValueError("* allows every origin, so it stands alone")
        return frozenset({ANY})
    return frozenset(_origin(word, place) for place, word in enumerate(words, 1))


def _words(text: str) -> list[str]:
    if not text.lstrip().startswith("["):
        return text.replace(",", " ").split()
    try:
        words = from_json(text)
    except ValueError:
        raise ValueError("the list of origins is not JSON") from None
    if not all(isinstance(word, str) for word in words):
        raise ValueError("the list of origins must hold texts")
    return [word.strip() for word in words]


def _origin(word: str, place: int) -> bytes:
    # The word itself is not repeated: somebody may have left a password in it.
    match = _ORIGIN.fullmatch(word.lower()) if word.isascii() else None
    if match is None:
        raise ValueError(f"origin {place} is not one such as https://example.com, in ASCII")
    scheme, host, port = match[1], match[2], int(match[3] or 0)
    if match[3] and not 0 < port < 65536:
        raise ValueError(f"origin {place} has no such port")
    if host.startswith("["):
        host = f"[{IPv6Address(host[1:-1])}]"
    if not port or port == _DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}".encode()
    return f"{scheme}://{host}:{port}".encode()


class CorsLines(dict[bytes | None, bytes]):
    """Header lines, each with its end, by origin; what a request without origin gets, others get.

    The origin is as the request has it, or None.
    """

    def __missing__(self, origin: bytes | None) -> bytes:
        return self[None]


_SILENT: Final = CorsLines({None: b""})


@dataclass(frozen=True, slots=True)
class CorsZone:
    """What holds for the paths of a surface.

    Attributes:
        answers: the lines of every answer.
        preflights: the lines of answers to ``OPTIONS``.
    """

    answers: CorsLines
    preflights: CorsLines


_SEALED: Final = CorsZone(_SILENT, _SILENT)


class CorsPolicy:
    """Writes the headers by which browsers let pages read answers.

    Args:
        origins: whose pages may call a surface; ``*`` alone for everybody's.
        rows: of the route table.
    """

    def __init__(self, origins: Mapping[Surface, Origins], rows: Iterable[Row]) -> None:
        self._zones = {
            surface: _zone(
                origins.get(surface, frozenset()),
                _METHODS[surface],
                _HEADERS[surface],
                _READABLE + _ALSO_READABLE[surface],
            )
            for surface in Surface
        }
        everybody = frozenset[bytes]().union(*origins.values())
        if ANY in everybody:
            everybody = frozenset({ANY})
        self._documents = _zone(everybody, b"GET, OPTIONS", b"x-request-id", _READABLE)
        self._by_row = {row.prefix: self._zone_of(row) for row in rows}

    def zone(self, row: Row | None, path: str) -> CorsZone:
        """Give what holds for a path.

        Args:
            row: that covers it, or None: the gateway's own pages and unknown paths.
            path: normalized.
        """
        if row is not None:
            return self._by_row[row.prefix]
        return self._zones[surface_of(path)] if _is_api(path) else self._documents

    def _zone_of(self, row: Row) -> CorsZone:
        if _is_api(row.prefix):
            return self._zones[row.surface]
        # Pages with forms and sessions are for their own origin; public keys are for everybody.
        return self._documents if row.prefix.startswith("/.well-known/") else _SEALED


def _zone(origins: Origins, methods: bytes, headers: bytes, readable: bytes) -> CorsZone:
    if not origins:
        return _SEALED
    exposes = b"access-control-expose-headers: %b\r\n" % readable
    allows = (
        b"access-control-allow-methods: %b\r\n"
        b"access-control-allow-headers: %b\r\n"
        b"access-control-max-age: %b\r\n"
    ) % (methods, headers, MAX_AGE)
    return CorsZone(_write(origins, exposes), _write(origins, allows))


def _write(origins: Origins, more: bytes) -> CorsLines:
    if ANY in origins:
        return CorsLines({None: b"access-control-allow-origin: *\r\n" + more})
    lines = CorsLines({None: VARY_LINE})
    for origin in origins:
        lines[origin] = b"%baccess-control-allow-origin: %b\r\n%b" % (VARY_LINE, origin, more)
    return lines


def _is_api(path: str) -> bool:
    """Tell whether a path belongs to a surface, not to what stands beside the four of them."""
    return surface_of(path) is not Surface.LEARNINGS or path == "/v1" or path.startswith("/v1/")


def merge_vary(lines: bytes, values: Sequence[bytes]) -> bytes:
    """Put what a service's answer varies by into our lines, as one header.

    Args:
        lines: of a ``CorsZone``, for answers.
        values: of the service's ``Vary`` headers; at least one.
    """
    value = b", ".join(values)
    if not lines.startswith(VARY_LINE):
        return b"vary: %b\r\n%b" % (value, lines)
    names = [name.strip() for name in value.lower().split(b",")]
    if ANY in names:
        value = ANY
    elif b"origin" not in names:
        value = b"origin, " + value if value.strip() else b"origin"
    return b"vary: %b\r\n%b" % (value, lines[len(VARY_LINE) :])
