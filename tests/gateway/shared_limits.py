"""Helpers of the tests on shared rate limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from gateway.rate_limit import Rate, Verdict
from gateway.rate_limit.shared_buckets import SharedRateLimiter
from gateway.rate_limit.store import Store

SECRET = b"s" * 32

PATIENCE = 5.0
"""Seconds; long enough that a busy machine is not taken for a store that is away."""


@asynccontextmanager
async def shared_limiter(
    url: str, rates: Mapping[str, Rate], patience: float = PATIENCE, capacity: int = 100_000
) -> AsyncIterator[SharedRateLimiter]:
    """Give a limiter that counts at an address, opened."""
    limiter = SharedRateLimiter(rates, Store(url, patience), SECRET, patience, capacity)
    await limiter.open()
    try:
        yield limiter
    finally:
        await limiter.close()


async def ask(limiter: SharedRateLimiter, name: str, caller: str) -> Verdict:
    """Take one token as the gateway does."""
    wants = [(name, caller)]
    now = limiter._clock()
    if limiter.lacks(wants, now):
        await limiter.prepare(wants)
        now = limiter._clock()
    return limiter.take(name, caller, now)
