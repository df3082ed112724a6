"""What the gateway allows a service, and when it gives an address of one up for a while."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.upstream.breaker import Trip
from gateway.upstream.budget import Retries


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """How addresses are checked. Times in seconds.

    Attributes:
        interval: between two checks of an address that works.
        again: between two checks of one that does not.
        timeout: of a check.
        path: that is asked for.
    """

    interval: float = 5.0
    again: float = 0.5
    timeout: float = 2.0
    path: str = "/health"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is allowed. Times in seconds; numbers of connections and exchanges per address.

    Attributes:
        connections: most connections to an address.
        waiting: most exchanges that wait for one.
        connect: to open a connection, or to get one.
        head: from the end of the request to the answer's head.
        idle: between two pieces of the answer, or of the request.
        stall: that a reader of the answer may leave it lying.
        keep: that an unused connection is kept; less than the services keep theirs.
        tick: between two looks at all of these.
        trip: when an address is given up for a while.
        retries: how often requests may be sent again.
        checks: how addresses are checked; None if they are not.
    """

    connections: int = 128
    waiting: int = 1024
    connect: float = 2.0
    head: float = 30.0
    idle: float = 60.0
    stall: float = 60.0
    keep: float = 30.0
    tick: float = 0.5
    trip: Trip = field(default_factory=Trip)
    retries: Retries = field(default_factory=Retries)
    checks: Checks | None = None
