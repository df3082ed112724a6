"""A request on its way through the chain, and what the chain may decide about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.authn import Ask
from gateway.pipeline.request_head import Head, Headers, Parsed
from gateway.route_table import Row
from gateway.signed_requests.signature import Signed
from shared.surfaces import Surface


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
        headers: that every answer to it carries: request id, rate limit, CORS.
        cors: the last of these.
    """

    head: Head
    parsed: Parsed
    path: str
    row: Row | None
    surface: Surface
    client: str
    started: float
    headers: Headers = field(default_factory=list)
    cors: Headers = field(default_factory=list)

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
        body: the whole body where it is read already, else None.
    """

    request: Request
    row: Row
    head: bytes
    body: bytes | None = None


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


@dataclass(slots=True)
class PendingBody:
    """The body is signed and must be read first; give it to ``Pipeline.verify``."""

    request: Request
    row: Row
    signed: Signed


Decision = Forward | Refusal | Own
