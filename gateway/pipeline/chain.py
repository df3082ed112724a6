"""The one chain of rules every request passes.

    match → strip → cap → authenticate → limit → write the upstream's head

It is plain and synchronous: when the credential is remembered, ``decide`` answers at once; else it
gives a ``Pending`` to await, or a ``PendingBody`` where the body must be read first because it is
signed. What depends on a request's first line alone is a ``Destination``, what depends on its
headers alone is ``Fields``; a caller may remember both and hand them in again.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from gateway.authn import Ask, Bearer, NotMine
from gateway.credentials.memory import Credential, Refused
from gateway.pipeline import preflight
from gateway.pipeline.client_address import ClientAddresses, rate_key
from gateway.pipeline.cors import CorsPolicy
from gateway.pipeline.decisions import (
    Bridge,
    Destination,
    Forward,
    Own,
    Pending,
    PendingBody,
    Refusal,
    Request,
    Step,
)
from gateway.pipeline.denials import Denials
from gateway.pipeline.destinations import Destinations, query_token
from gateway.pipeline.request_head import Fields, fault_of, shows_bearer
from gateway.pipeline.security_headers import SecurityHeaders
from gateway.pipeline.upstream_head import UpstreamHeads
from gateway.rate_limit import RateLimiter, Verdict
from gateway.route_table import BEARER, SIGNATURE, TICKET, RouteTable, Row
from gateway.signed_requests import signature, stages, ticket
from gateway.websocket import handshake
from gateway.websocket.handshake import Holds
from shared.errors import (
    BadRequest,
    Forbidden,
    Internal,
    RateLimited,
    ServiceError,
    Unauthenticated,
    Unavailable,
    UnknownPath,
)
from shared.principal import ANONYMOUS, Kind, Principal
from shared.surfaces import render

if TYPE_CHECKING:
    from gateway.pipeline.tracing import Tracing

PAGES_CLASS: Final = "pages"
HEALTH_CLASS: Final = "health"

_OWN_IDS: Final = f"req_{secrets.token_hex(6)}".encode()
_numbers: Final = count(1)


class Pipeline:
    """The chain.

    Args:
        routes: the table.
        own_pages: tells whether a path is one of the gateway's pages, and which rate class it has.
        bearer: judges credentials.
        limiter: counts.
        addresses: finds clients behind trusted proxies.
        heads: writes what services are told.
        cors: which pages may call what.
        security: headers of every answer.
        tracing: makes spans, where they are wanted.
        clock: seconds, only going forward.
        wall: Unix seconds.

    Attributes:
        locate: finds where a request line leads.
    """

    def __init__(
        self,
        *,
        routes: RouteTable,
        own_pages: Callable[[str], str | None],
        bearer: Bearer,
        limiter: RateLimiter,
        addresses: ClientAddresses,
        heads: UpstreamHeads,
        cors: CorsPolicy,
        security: SecurityHeaders,
        tracing: Tracing | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.locate = Destinations(routes, cors).locate
        self._own_pages = own_pages
        self._bearer = bearer
        self._limiter = limiter
        self._addresses = addresses
        self._heads = heads
        self._security = security
        self._tracing = tracing
        self._clock = clock
        self._wall = wall
        self._denials = Denials(clock)
        self._anonymous = Credential("", ANONYMOUS, math.inf)

    def decide(self, destination: Destination, fields: Fields, peer: str) -> Step:
        """Take a request as far as it goes without waiting; ``peer`` is who sent it."""
        request = self._received(destination, fields, peer)
        row = destination.row
        if destination.is_options and preflight.is_asked(destination, fields):
            return self._preflight(request)
        if row is None:
            return self._without_row(request)
        fault = fault_of(fields, row.body_limit)
        if fault is not None:
            return self._refuse_stranger(request, row.failure_class, fault, fault.code)
        if row.is_socket and (fields.upgrade or row.authenticators == TICKET):
            step = self._for_socket(request, row)
            if step is not None:
                return step
        if row.authenticators == SIGNATURE:
            return self._signed(request, row)
        try:
            found = self._authenticate(request, row)
        except Unavailable as error:
            return self._unjudged(request, row, error)
        if isinstance(found, Credential):
            return self._limited(request, row, found)
        if isinstance(found, Ask):
            return self._pending(request, row, found)
        return self._finish(request, row, found)

    def _received(self, destination: Destination, fields: Fields, peer: str) -> Request:
        client = self._addresses.find(peer, fields.forwarded)
        request_id = fields.request_id or b"%b%x" % (_OWN_IDS, next(_numbers))
        cors = destination.cors.answers[fields.origin]
        secure = self._security.private
        request = Request(destination, fields, client, self._clock(), request_id, cors, secure)
        if self._tracing is not None:
            request.span = self._tracing.begin(request)
        return request

    def verify(self, pending: PendingBody, body: bytes) -> Step:
        """Judge the signature of a request whose body is read, and take it the rest of its way."""
        request, row = pending.request, pending.row
        request.now = self._clock()
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

    def refuse_unread(self, pending: PendingBody, error: ServiceError) -> Step:
        """Refuse a request whose body did not arrive, or was too large."""
        return self._refuse_stranger(pending.request, pending.row.failure_class, error, error.code)

    def refuse_unreadable(self, destination: Destination, peer: str, error: ServiceError) -> Step:
        """Refuse what could not be read as a request; of it only the path is looked at."""
        request = self._received(destination, Fields([]), peer)
        return self._refuse_stranger(request, PAGES_CLASS, error, error.code)

    def refuse(self, request: Request, error: ServiceError, reason: str) -> Refusal:
        """Refuse a request that is already counted, such as one whose upstream is away."""
        destination = request.destination
        self._denials.note(error, reason, destination.label)
        row = destination.row
        if row is not None and row.names_errors:
            error.extra.setdefault("error", error.code)
        if row is not None and row.marks_personal:
            error.headers["x-pii-access"] = "true"
        spoken = render(destination.surface, error, request.request_id.decode("ascii"))
        headers = [(name.encode(), value.encode()) for name, value in spoken.headers.items()]
        lines = self._security.around(headers)
        length = b"content-length: %d\r\n" % len(spoken.body)
        return Refusal(request, spoken.status, lines + length + request.lines, spoken.body)

    # Who is calling.

    def _signed(self, request: Request, row: Row) -> Step:
        destination, fields = request.destination, request.fields
        method = destination.method
        head = stages.read_signed(method, destination.target, destination.path, fields.headers)
        try:
            stages.check_accept(head.accepts)
            stages.check_version(head.versions)
        except ServiceError as error:
            return self._refuse_stranger(request, row.failure_class, error, error.code)
        pending = PendingBody(request, row, head.signed)
        if not fields.has_body:
            return self.verify(pending, b"")
        if method in signature.BODY_METHODS:
            return pending
        uncovered = BadRequest("No signature covers the body of such a request")
        return self._refuse_stranger(request, row.failure_class, uncovered, uncovered.code)

    def _for_socket(self, request: Request, row: Row) -> Step | None:
        """Check a handshake, and the ticket where one is asked for; None leaves it to the others.

        What asks for no socket needs no ticket, and goes on without a name.
        """
        destination, fields = request.destination, request.fields
        by_ticket = row.authenticators == TICKET
        if not handshake.asks_for_socket(fields.headers):
            return self._limited(request, row, self._anonymous) if by_ticket else None
        try:
            request.offer = handshake.read_offer(destination.method, fields)
            if not by_ticket:
                return None
            token = ticket.verify(destination.query, self._wall())
        except signature.BadProof as proof:
            reason = f"ticket: {proof.reason}"
            return self._refuse_stranger(request, row.failure_class, Forbidden(), reason)
        except ServiceError as error:
            return self._refuse_stranger(request, row.failure_class, error, error.code)
        machine, key = Principal(Kind.MACHINE, token), rate_key(request.client)
        credential = Credential(TICKET[0], machine, math.inf, rate_key=key)
        return self._limited(request, row, credential)

    def _preflight(self, request: Request) -> Step:
        """Answer what carries no credential and no service needs to hear: which pages may ask."""
        destination, fields = request.destination, request.fields
        fault = preflight.fault_of(destination, fields)
        if fault is not None:
            return self._refuse_stranger(request, PAGES_CLASS, fault, fault.code)
        wants = [(preflight.PREFLIGHT_CLASS, rate_key(request.client))]
        if self._limiter.lacks(wants, request.now):
            return self._prepared(request, wants, partial(self._preflight, request))
        verdict = self._limiter.take(*wants[0], request.now)
        request.cors = destination.cors.preflights[fields.origin]
        request.write_limit(verdict, self._wall())
        if not verdict.allowed:
            return self._over(request, verdict)
        return Refusal(request, 204, self._security.around(()) + request.lines, b"")

    def _authenticate(self, request: Request, row: Row) -> Credential | Refused | NotMine | Ask:
        fields = request.fields
        if len(fields.authorization) > 1:
            return Refused("more than one credential")
        token, digest = fields.token, fields.digest
        if row.takes_query_token and not fields.authorization:
            token, digest = query_token(request.destination.query), b""
        if token is None or not row.authenticators:
            return _NOT_MINE
        return self._bearer.judge(token, digest, row.authenticators, request.now)

    def _pending(self, request: Request, row: Row, ask: Ask) -> Step:
        # An address that has used up its failures may not make us ask auth any more.
        verdict = self._limiter.peek(row.failure_class, rate_key(request.client), request.now)
        if verdict.allowed:
            return Pending(request, partial(self._ask, request, row, ask))
        request.write_limit(verdict, self._wall())
        return self._over(request, verdict, "too many failures")

    async def _ask(self, request: Request, row: Row, ask: Ask) -> Step:
        try:
            found = await self._bearer.ask(ask, rate_key(request.client))
        except Unavailable as error:
            return self._unjudged(request, row, error)
        finally:
            request.now = self._clock()
        return self._finish(request, row, found)

    def _unjudged(self, request: Request, row: Row, error: Unavailable) -> Step:
        """Auth is away. A public operation goes on without a name; the others must come back."""
        if self._is_open(request, row):
            return self._limited(request, row, self._anonymous)
        return self._refuse_stranger(request, row.failure_class, error, "auth unavailable")

    def _finish(self, request: Request, row: Row, found: Credential | Refused | NotMine) -> Step:
        if isinstance(found, Credential):
            return self._limited(request, row, found)
        if self._is_open(request, row):
            return self._limited(request, row, self._anonymous)
        reason = found.reason if isinstance(found, Refused) else "no credential"
        return self._refuse_stranger(request, row.failure_class, Unauthenticated(), reason)

    def _is_open(self, request: Request, row: Row) -> bool:
        if row.refuses_bad_bearer and shows_bearer(request.fields):
            return False
        return request.destination.is_open

    # How often.

    def _limited(
        self, request: Request, row: Row, credential: Credential, body: bytes | None = None
    ) -> Step:
        caller = credential.rate_key
        if credential is self._anonymous:
            caller = rate_key(request.client)
            if not row.is_public:
                request.security = self._security.public
        limiter, rate_class = self._limiter, request.destination.rate_class
        if limiter.is_shared or row.address_class:
            address = (row.address_class, rate_key(request.client))
            wants = [address, (rate_class, caller)] if row.address_class else [(rate_class, caller)]
            if limiter.lacks(wants, request.now):
                then = partial(self._limited, request, row, credential, body)
                return self._prepared(request, wants, then)
            verdict = self._count(wants, request.now)
        else:
            verdict = limiter.take(rate_class, caller, request.now)
        request.write_limit(verdict, self._wall())
        if not verdict.allowed:
            return self._over(request, verdict)
        head = self._heads.write(request, row.upstream, credential)
        if request.offer is None:
            return Forward(request, row, head, body)
        principal = credential.principal
        owner = f"{principal.kind}:{principal.subject}"
        if principal.is_anonymous:
            owner = rate_key(request.client)
        holds = self._holds(request, row, credential)
        return Bridge(request, row, head, request.offer, owner, credential.tags, holds)

    def _holds(self, request: Request, row: Row, credential: Credential) -> Holds | None:
        if credential.authenticator not in BEARER:
            return None
        token = request.fields.token or query_token(request.destination.query)
        assert token is not None  # it has just been judged
        return partial(self._bearer.holds, token, row.authenticators)

    def _count(self, wants: Sequence[tuple[str, str]], now: float) -> Verdict:
        """Count a request; of two buckets the one that refuses speaks, or that is nearer to it."""
        first = self._limiter.take(*wants[0], now)
        if len(wants) == 1 or not first.allowed:
            return first
        second = self._limiter.take(*wants[1], now)
        is_nearer = not second.allowed or second.remaining <= first.remaining
        return second if is_nearer else first

    def _prepared(
        self, request: Request, wants: Sequence[tuple[str, str]], then: Callable[[], Step]
    ) -> Pending:
        """Ask the store that several gateways share before counting."""

        async def work() -> Step:
            await self._limiter.prepare(wants)
            request.now = self._clock()
            return then()

        return Pending(request, work)

    def _over(self, request: Request, verdict: Verdict, reason: str = "rate limit") -> Refusal:
        if verdict.is_closed:
            error: ServiceError = Unavailable(retry_after=verdict.retry)
            return self.refuse(request, error, "rate limits unavailable")
        return self.refuse(request, RateLimited(verdict.retry), reason)

    def _refuse_stranger(
        self, request: Request, rate_class: str, error: ServiceError, reason: str
    ) -> Step:
        """Refuse somebody unknown, counted by address; whoever fails too often gets 429."""
        wants = [(rate_class, rate_key(request.client))]
        if self._limiter.lacks(wants, request.now):
            then = partial(self._refuse_stranger, request, rate_class, error, reason)
            return self._prepared(request, wants, then)
        verdict = self._limiter.take(*wants[0], self._clock())
        request.write_limit(verdict, self._wall())
        if not verdict.allowed and error.status < Internal.status:
            return self._over(request, verdict, "too many failures")
        return self.refuse(request, error, reason)

    def _without_row(self, request: Request) -> Step:
        rate_class = self._own_pages(request.destination.path)
        if rate_class is None:
            return self._refuse_stranger(request, PAGES_CLASS, UnknownPath(), "unknown path")
        wants = [(rate_class, rate_key(request.client))]
        if self._limiter.lacks(wants, request.now):
            return self._prepared(request, wants, partial(self._without_row, request))
        verdict = self._limiter.take(*wants[0], request.now)
        request.write_limit(verdict, self._wall())
        if not verdict.allowed:
            return self._over(request, verdict)
        return Own(request)


_NOT_MINE: Final = NotMine()
