"""The one chain of rules every request passes, whoever drives it.

    match → strip → cap → authenticate → limit → write the upstream's head

It is plain and synchronous: when the credential is remembered, ``decide`` answers at once; else it
gives a ``Pending`` to await, or a ``PendingBody`` where the body must be read first because it is
signed. So an ASGI app and a server's parser callbacks can both drive it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qs

from gateway.authn import Ask, Bearer, NotMine
from gateway.credentials.memory import Credential, Refused
from gateway.pipeline.client_address import ClientAddresses, rate_key
from gateway.pipeline.decisions import (
    Decision,
    Forward,
    Own,
    Pending,
    PendingBody,
    Refusal,
    Request,
)
from gateway.pipeline.denials import Denials
from gateway.pipeline.request_head import Head, read
from gateway.rate_limit import RateLimiter, Verdict
from gateway.route_table import SIGNATURE, RouteTable, Row
from gateway.signed_requests import signature, stages
from shared.errors import (
    BadRequest,
    Internal,
    RateLimited,
    ServiceError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnknownPath,
)
from shared.middleware import normalized_path
from shared.principal import (
    ANONYMOUS,
    ASSERTION_HEADER,
    CLIENT_HEADER,
    Kind,
    Principal,
    sign_assertion,
)
from shared.surfaces import render, surface_of

ASSERTION_REUSE: Final = 10.0
"""Seconds that a signed assertion is used again for the same credential and upstream."""

PAGES_CLASS: Final = "pages"
HEALTH_CLASS: Final = "health"


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
        origins: whose pages may call signed rows (CORS).
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
        origins: frozenset[bytes] = frozenset(),
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
        self._origins = origins
        self._clock = clock
        self._wall = wall
        self._denials = Denials(clock)
        self._anonymous = Credential("", ANONYMOUS, math.inf)

    def decide(self, head: Head) -> Decision | Pending | PendingBody:
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
            return self._refuse_stranger(request, row.failure_class, fault, fault.code)
        if row.authenticators == SIGNATURE:
            return self._signed(request, row)
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

    def verify(self, pending: PendingBody, body: bytes) -> Decision:
        """Judge the signature of a request whose body is read, and take it the rest of its way."""
        request, row = pending.request, pending.row
        try:
            token = signature.verify(pending.signed, body, self._wall())
        except BadRequest as error:
            return self._refuse_stranger(request, row.failure_class, error, error.code)
        except signature.BadProof as proof:
            unproven, reason = Unauthenticated(proof.reason), f"signature: {proof.reason}"
            return self._refuse_stranger(request, row.failure_class, unproven, reason)
        machine = Principal(Kind.MACHINE, token)
        credential = Credential(SIGNATURE[0], machine, math.inf, (token,))
        return self._limited(request, row, credential, body)

    def refuse_unreadable(self, head: Head, error: ServiceError) -> Refusal:
        """Refuse what could not be read as a request; of the head only the path is looked at."""
        blank = Head(head.method, head.path, head.target, b"", [], head.peer, head.version)
        request = Request(
            head=blank,
            parsed=read(blank),
            path=normalized_path(head.path),
            row=None,
            surface=surface_of(normalized_path(head.path)),
            client=self._addresses.find(head.peer, []),
            started=self._clock(),
        )
        return self._refuse_stranger(request, PAGES_CLASS, error, error.code)

    def refuse_unread(self, pending: PendingBody, error: ServiceError) -> Refusal:
        """Refuse a request whose body did not arrive, or was too large."""
        return self._refuse_stranger(pending.request, pending.row.failure_class, error, error.code)

    def refuse(self, request: Request, error: ServiceError, reason: str) -> Refusal:
        """Refuse a request that is already counted, such as one whose upstream is away."""
        self._denials.note(error, reason, request.label)
        if request.row is not None and request.row.names_errors:
            error.extra.setdefault("error", error.code)
        spoken = render(request.surface, error, request.parsed.request_id.decode("ascii"))
        headers = [(name.encode(), value.encode()) for name, value in spoken.headers.items()]
        headers.append((b"content-length", b"%d" % len(spoken.body)))
        return Refusal(request, spoken.status, headers + request.headers, spoken.body)

    # Who is calling.

    def _signed(self, request: Request, row: Row) -> Decision | PendingBody:
        head = stages.read_signed(request.head, request.path)
        request.cors = stages.cors_headers(head, self._origins)
        try:
            stages.check_accept(head.accepts)
            if request.head.method == "OPTIONS":
                return self._preflight(request, row)
            stages.check_version(head.versions)
        except ServiceError as error:
            return self._refuse_stranger(request, row.failure_class, error, error.code)
        pending = PendingBody(request, row, head.signed)
        if request.parsed.has_body and request.head.method in signature.BODY_METHODS:
            return pending
        return self.verify(pending, b"")

    def _preflight(self, request: Request, row: Row) -> Refusal:
        verdict = self._limiter.take(row.rate_class, rate_key(request.client), request.started)
        self._write_limit(request, verdict)
        if not verdict.allowed:
            return self.refuse(request, RateLimited(verdict.retry), "rate limit")
        return Refusal(request, 204, [*request.headers], b"")

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
        verdict = self._limiter.peek(row.failure_class, key, self._clock())
        if verdict.allowed:
            return Pending(request, row, ask)
        self._write_limit(request, verdict)
        return self.refuse(request, RateLimited(verdict.retry), "too many failures")

    def _unjudged(self, request: Request, row: Row, error: Unavailable) -> Decision:
        """Auth is away. A public operation goes on without a name; the others must come back."""
        if self._is_open(request, row):
            return self._limited(request, row, self._anonymous)
        return self._refuse_stranger(request, row.failure_class, error, "auth unavailable")

    def _finish(
        self, request: Request, row: Row, found: Credential | Refused | NotMine
    ) -> Decision:
        if isinstance(found, Credential):
            return self._limited(request, row, found)
        if self._is_open(request, row):
            return self._limited(request, row, self._anonymous)
        reason = found.reason if isinstance(found, Refused) else "no credential"
        return self._refuse_stranger(request, row.failure_class, Unauthenticated(), reason)

    def _is_open(self, request: Request, row: Row) -> bool:
        if row.refuses_bad_bearer and _shows_bearer(request.parsed.authorization):
            return False
        return self._routes.is_public(row, request.head.method, request.path)

    # How often.

    def _limited(
        self, request: Request, row: Row, credential: Credential, body: bytes | None = None
    ) -> Decision:
        verdict = self._count(request, row, credential)
        self._write_limit(request, verdict)
        if not verdict.allowed:
            return self.refuse(request, RateLimited(verdict.retry), "rate limit")
        return Forward(request, row, self._upstream_head(request, row, credential), body)

    def _count(self, request: Request, row: Row, credential: Credential) -> Verdict:
        """Count a request; of two buckets the one that refuses speaks, or that is nearer to it."""
        address = rate_key(request.client)
        caller = address if credential is self._anonymous else credential.rate_key
        rate_class = row.class_of(request.head.method)
        if not row.address_class:
            return self._limiter.take(rate_class, caller, request.started)
        by_address = self._limiter.take(row.address_class, address, request.started)
        if not by_address.allowed:
            return by_address
        verdict = self._limiter.take(rate_class, caller, request.started)
        is_nearer = not verdict.allowed or verdict.remaining <= by_address.remaining
        return verdict if is_nearer else by_address

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
            *request.cors,
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


def _shows_bearer(values: list[bytes]) -> bool:
    return any(value[:6].lower() == b"bearer" for value in values)


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
