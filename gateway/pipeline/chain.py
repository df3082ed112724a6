"""The one chain of rules every request passes, whoever drives it.

    match → strip → cap → authenticate → limit → write the upstream's head

It is plain and synchronous: when the credential is remembered, ``decide`` answers at once; else it
gives a ``Pending`` to await. So an ASGI app and a server's parser callbacks can both drive it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs

from gateway.authn import Ask, Bearer, NotMine
from gateway.credentials.memory import Credential, Refused
from gateway.pipeline.client_address import ClientAddresses, rate_key
from gateway.pipeline.denials import Denials
from gateway.pipeline.request_head import Head, Headers, Parsed, read
from gateway.rate_limit import RateLimiter, Verdict
from gateway.route_table import RouteTable, Row
from shared.errors import (
    Internal,
    RateLimited,
    ServiceError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnknownPath,
)
from shared.middleware import normalized_path
from shared.principal import ANONYMOUS, ASSERTION_HEADER, CLIENT_HEADER, sign_assertion
from shared.surfaces import Surface, render, surface_of

ASSERTION_REUSE: Final = 10.0
"""Seconds that a signed assertion is used again for the same credential and upstream."""

PAGES_CLASS: Final = "pages"
HEALTH_CLASS: Final = "health"


@dataclass(slots=True)
class Request:
    """A request on its way through the chain.

    Attributes:
        head: as it was sent.
        parsed: what its headers say.
        path: decoded and normalized.
        row: that covers it, or None where no service owns the path.
        surface: whose dialect errors speak.
        client: the caller's address.
        started: by the forward-going clock.
        headers: that every answer to it carries: request id and rate limit.
    """

    head: Head
    parsed: Parsed
    path: str
    row: Row | None
    surface: Surface
    client: str
    started: float
    headers: Headers = field(default_factory=list)

    @property
    def label(self) -> str:
        """What logs and metrics call the path: never the path itself, which may hold a secret."""
        return self.row.prefix if self.row else "other"


@dataclass(slots=True)
class Forward:
    """The request goes on.

    Attributes:
        request: itself.
        row: that covers it.
        head: for the upstream, up to but without the framing headers and the blank line.
    """

    request: Request
    row: Row
    head: bytes


@dataclass(slots=True)
class Refusal:
    """The gateway answers itself."""

    request: Request
    status: int
    headers: Headers
    body: bytes


@dataclass(slots=True)
class Own:
    """One of the gateway's own pages answers."""

    request: Request


@dataclass(slots=True)
class Pending:
    """Auth must be asked first; give it to ``Pipeline.resume``."""

    request: Request
    row: Row
    ask: Ask


Decision = Forward | Refusal | Own


class Pipeline:
    """The chain.

    Args:
        routes: the table.
        own_pages: tells whether a path is one of the gateway's pages, and which rate class it has.
        bearer: judges credentials.
        limiter: counts.
        addresses: finds clients behind trusted proxies.
        keys: assertion keys by service.
        hosts: what the upstreams are called where a request names no host.
        clock: seconds, only going forward.
        wall: Unix seconds.
    """

    def __init__(
        self,
        *,
        routes: RouteTable,
        own_pages: Callable[[str], str | None],
        bearer: Bearer,
        limiter: RateLimiter,
        addresses: ClientAddresses,
        keys: Mapping[str, bytes],
        hosts: Mapping[str, bytes],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._routes = routes
        self._own_pages = own_pages
        self._bearer = bearer
        self._limiter = limiter
        self._addresses = addresses
        self._keys = dict(keys)
        self._hosts = dict(hosts)
        self._clock = clock
        self._wall = wall
        self._denials = Denials(clock)
        self._anonymous = Credential("", ANONYMOUS, math.inf)

    def decide(self, head: Head) -> Decision | Pending:
        """Take a request as far as it goes without waiting."""
        parsed = read(head)
        path = normalized_path(head.path)
        row = None if _climbs(path) else self._routes.find(path)
        request = Request(
            head=head,
            parsed=parsed,
            path=path,
            row=row,
            surface=row.surface if row else surface_of(path),
            client=self._addresses.find(head.peer, parsed.forwarded),
            started=self._clock(),
        )
        if row is None:
            return self._without_row(request)
        fault = _fault(request, row)
        if fault is not None:
            return self._refuse_stranger(request, row.rate_class, fault, fault.code)
        try:
            found = self._authenticate(request, row)
        except Unavailable as error:
            return self._unjudged(request, row, error)
        if isinstance(found, Ask):
            return self._pending(request, row, found)
        return self._finish(request, row, found)

    async def resume(self, pending: Pending) -> Decision:
        """Ask auth and take the request the rest of its way."""
        try:
            found = await self._bearer.ask(pending.ask)
        except Unavailable as error:
            return self._unjudged(pending.request, pending.row, error)
        return self._finish(pending.request, pending.row, found)

    def refuse(self, request: Request, error: ServiceError, reason: str) -> Refusal:
        """Refuse a request that is already counted, such as one whose upstream is away."""
        self._denials.note(error, reason, request.label)
        spoken = render(request.surface, error, request.parsed.request_id.decode("ascii"))
        headers = [(name.encode(), value.encode()) for name, value in spoken.headers.items()]
        headers.append((b"content-length", b"%d" % len(spoken.body)))
        return Refusal(request, spoken.status, headers + request.headers, spoken.body)

    # Who is calling.

    def _authenticate(self, request: Request, row: Row) -> Credential | Refused | NotMine | Ask:
        values = request.parsed.authorization
        token: bytes | None = None
        if len(values) > 1:
            return Refused("more than one credential")
        if values:
            scheme, _, rest = values[0].partition(b" ")
            token = rest.strip(b" \t") if scheme.lower() == b"bearer" else None
        elif row.takes_query_token:
            token = _query_token(request.head.query)
        if not token or not row.authenticators:
            return _NOT_MINE
        return self._bearer.judge(token, row.authenticators, self._clock())

    def _pending(self, request: Request, row: Row, ask: Ask) -> Decision | Pending:
        # An address that has used up its failures may not make us ask auth any more.
        key = rate_key(request.client)
        verdict = self._limiter.peek(row.rate_class, key, self._clock())
        if verdict.allowed:
            return Pending(request, row, ask)
        self._write_limit(request, verdict)
        return self.refuse(request, RateLimited(verdict.retry), "too many failures")

    def _unjudged(self, request: Request, row: Row, error: Unavailable) -> Decision:
        """Auth is away. A public operation goes on without a name; the others must come back."""
        if self._routes.is_public(row, request.head.method, request.path):
            return self._limited(request, row, self._anonymous)
        return self._refuse_stranger(request, row.rate_class, error, "auth unavailable")

    def _finish(
        self, request: Request, row: Row, found: Credential | Refused | NotMine
    ) -> Decision:
        if isinstance(found, Credential):
            return self._limited(request, row, found)
        if self._routes.is_public(row, request.head.method, request.path):
            return self._limited(request, row, self._anonymous)
        reason = found.reason if isinstance(found, Refused) else "no credential"
        return self._refuse_stranger(request, row.rate_class, Unauthenticated(), reason)

    # How often.

    def _limited(self, request: Request, row: Row, credential: Credential) -> Decision:
        caller = credential.rate_key
        if credential is self._anonymous:
            caller = rate_key(request.client)
        verdict = self._limiter.take(row.rate_class, caller, request.started)
        self._write_limit(request, verdict)
        if not verdict.allowed:
            return self.refuse(request, RateLimited(verdict.retry), "rate limit")
        return Forward(request, row, self._upstream_head(request, row, credential))

    def _refuse_stranger(
        self, request: Request, rate_class: str, error: ServiceError, reason: str
    ) -> Refusal:
        """Refuse somebody unknown, counted by address; whoever fails too often gets 429."""
        verdict = self._limiter.take(rate_class, rate_key(request.client), self._clock())
        self._write_limit(request, verdict)
        if not verdict.allowed and error.status < Internal.status:
            error, reason = RateLimited(verdict.retry), "too many failures"
        return self.refuse(request, error, reason)

    def _without_row(self, request: Request) -> Decision:
        rate_class = self._own_pages(request.path)
        if rate_class is None:
            return self._refuse_stranger(request, PAGES_CLASS, UnknownPath(), "unknown path")
        verdict = self._limiter.take(rate_class, rate_key(request.client), request.started)
        self._write_limit(request, verdict)
        if not verdict.allowed:
            return self.refuse(request, RateLimited(verdict.retry), "rate limit")
        return Own(request)

    def _write_limit(self, request: Request, verdict: Verdict) -> None:
        request.headers = [
            (b"x-request-id", request.parsed.request_id),
            (b"x-ratelimit-limit", b"%d" % verdict.limit),
            (b"x-ratelimit-remaining", b"%d" % verdict.remaining),
            (b"x-ratelimit-reset", b"%d" % math.ceil(self._wall() + verdict.reset)),
        ]

    # What the upstream is told.

    def _upstream_head(self, request: Request, row: Row, credential: Credential) -> bytes:
        parsed = request.parsed
        lines = [
            b"%b %b HTTP/1.1" % (request.head.method.encode("ascii"), request.head.target),
            b"host: " + (parsed.host or self._hosts[row.upstream]),
            *parsed.lines,
            b"x-request-id: " + parsed.request_id,
            parsed.trace,
            _CLIENT + request.client.encode("ascii", "replace"),
            _ASSERTION + self._assertion(credential, row.upstream, request.started),
        ]
        return b"\r\n".join(lines)

    def _assertion(self, credential: Credential, upstream: str, now: float) -> bytes:
        kept = credential.assertions.get(upstream)
        if kept is not None and now < kept[1]:
            return kept[0]
        key = self._keys[upstream]
        signed = sign_assertion(key, upstream, credential.principal, self._wall()).encode()
        credential.assertions[upstream] = (signed, now + ASSERTION_REUSE)
        return signed


_NOT_MINE: Final = NotMine()
_CLIENT: Final = CLIENT_HEADER.encode() + b": "
_ASSERTION: Final = ASSERTION_HEADER.encode() + b": "


def _fault(request: Request, row: Row) -> ServiceError | None:
    parsed = request.parsed
    if parsed.fault is not None:
        return parsed.fault
    if row.is_socket and parsed.upgrade == b"websocket":
        return Unavailable()
    if parsed.length is not None and parsed.length > row.body_limit:
        return TooLarge()
    return None


def _climbs(path: str) -> bool:
    """Tell whether a path has dot segments, which two readers could resolve in two ways."""
    return "/." in path and any(segment in (".", "..") for segment in path.split("/"))


def _query_token(query: bytes) -> bytes | None:
    if b"token=" not in query:
        return None
    try:
        values = parse_qs(query.decode("ascii"), max_num_fields=50).get("token", [])
    except ValueError:
        return None
    return values[0].encode() if len(values) == 1 else None
