"""A request on its way through the chain, and what the chain may decide about it.

None of it is shown by ``repr``, because it may end in a log: requests hold secrets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from gateway.pipeline.cors import CorsZone
from gateway.pipeline.request_head import Fields
from gateway.route_table import Row
from gateway.signed_requests.signature import Signed
from gateway.websocket.handshake import Holds, Offer
from shared.surfaces import Surface

if TYPE_CHECKING:
    from gateway.pipeline.tracing import Span
    from gateway.rate_limit import Verdict


@dataclass(slots=True, repr=False)
class Destination:
    """What a request line says and where it leads; the same for every request that has it.

    Attributes:
        method: upper case.
        target: path and query as they were sent; forwarded unchanged.
        path: decoded and normalized.
        query: as it was sent, without the question mark.
        start: the request line for the service.
        row: that covers the path, or None where no service owns it.
        surface: whose dialect errors speak.
        is_open: whether the operation needs no credential.
        rate_class: that counts its requests.
        cors: which pages may read the answers.
        is_options: whether it asks what may be asked (``OPTIONS``).
        label: what logs and metrics call the path: never the path itself, which may hold a secret.
    """

    method: str
    target: bytes
    path: str
    query: bytes
    start: bytes
    row: Row | None
    surface: Surface
    is_open: bool
    rate_class: str
    cors: CorsZone
    is_options: bool
    label: str


class Request:
    """A request on its way through the chain.

    Attributes:
        destination: what its first line says.
        fields: what its headers say.
        client: the caller's address.
        started: by the forward-going clock.
        now: the same, when the chain last went on after a wait.
        request_id: the caller's, or one of ours.
        lines: header lines that every answer to it carries: request id, rate limit, CORS.
        cors: the last of these.
        security: the security headers of the answer, by what the service says itself.
        offer: what it offers where it asks for a socket.
        span: that is exported of it, where spans are wanted.
    """

    __slots__ = (
        "client",
        "cors",
        "destination",
        "fields",
        "lines",
        "now",
        "offer",
        "request_id",
        "security",
        "span",
        "started",
    )

    def __init__(
        self,
        destination: Destination,
        fields: Fields,
        client: str,
        started: float,
        request_id: bytes,
        cors: bytes,
        security: tuple[bytes, ...],
    ) -> None:
        self.destination = destination
        self.fields = fields
        self.client = client
        self.started = self.now = started
        self.request_id = request_id
        self.lines = b""
        self.cors = cors
        self.security = security
        self.offer: Offer | None = None
        self.span: Span | None = None

    def write_limit(self, verdict: Verdict, wall: float) -> None:
        """Write the lines of every answer; ``wall`` is the time in Unix seconds."""
        remaining, reset = verdict.remaining, verdict.reset
        self.lines = (
            b"x-request-id: %b\r\n%bx-ratelimit-remaining: %d\r\nx-ratelimit-reset: %d\r\n"
            b'ratelimit: "%b";r=%d;t=%d\r\n%b'
        ) % (
            self.request_id,
            verdict.policy,
            remaining,
            ceil(wall + reset),
            verdict.name.encode(),
            remaining,
            ceil(reset),
            self.cors,
        )


class Forward:
    """The request goes on.

    Attributes:
        request: itself.
        row: that covers it.
        head: for the upstream, up to but without the framing headers and the blank line.
        body: the whole body where it is read already, else None.
    """

    __slots__ = ("body", "head", "request", "row")

    def __init__(self, request: Request, row: Row, head: bytes, body: bytes | None = None) -> None:
        self.request = request
        self.row = row
        self.head = head
        self.body = body


@dataclass(slots=True, repr=False)
class Bridge:
    """The caller is to speak WebSocket with the service.

    Attributes:
        request: itself.
        row: that covers it.
        head: for the upstream, without the lines that ask for the socket.
        offer: what the caller's handshake offers.
        owner: whose socket it will be.
        tags: ids by which an event may revoke the login behind it.
        holds: tells at a moment of the forward-going clock whether that login still holds; None
            where none can be revoked here.
    """

    request: Request
    row: Row
    head: bytes
    offer: Offer
    owner: str
    tags: tuple[str, ...]
    holds: Holds | None


@dataclass(slots=True, repr=False)
class Refusal:
    """The gateway answers itself; ``lines`` are all headers but the connection's own."""

    request: Request
    status: int
    lines: bytes
    body: bytes


@dataclass(slots=True, repr=False)
class Own:
    """One of the gateway's own pages answers."""

    request: Request


@dataclass(slots=True, repr=False)
class Pending:
    """Something must be asked first: await ``work`` for the next step."""

    request: Request
    work: Callable[[], Awaitable[Step]]


@dataclass(slots=True, repr=False)
class PendingBody:
    """The body is signed and must be read first; give it to ``Pipeline.verify``."""

    request: Request
    row: Row
    signed: Signed


Decision = Forward | Bridge | Refusal | Own
Step = Decision | Pending | PendingBody
