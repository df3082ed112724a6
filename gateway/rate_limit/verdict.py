"""What a limiter answers."""

from __future__ import annotations

from typing import NamedTuple


class Verdict(NamedTuple):
    """What a bucket said.

    Attributes:
        allowed: whether the request may pass.
        limit: of the class.
        remaining: whole requests that would pass now.
        reset: seconds until the bucket is full again.
        retry: whole seconds until the next request passes; 0 when allowed.
        name: of the class.
        window: of the class, in seconds.
        policy: the header lines that are the same for every answer of the class, each with its
            line end.
        is_closed: whether nothing was counted, because the shared store is away and the class
            guards secrets: 503, not 429.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: float
    retry: int
    name: str
    window: float
    policy: bytes
    is_closed: bool = False
