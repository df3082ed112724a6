"""Rate limits: token buckets per class and caller, in memory or shared through Valkey or Redis.

``rates`` says how often, ``buckets`` counts in one process, ``shared_buckets`` over several.
"""

from __future__ import annotations

from gateway.rate_limit.buckets import MAX_BUCKETS, RateLimiter
from gateway.rate_limit.rates import (
    CLASSES,
    FIXED_WINDOWS,
    GUARDS_SECRETS,
    NEVER_REFUSED,
    Rate,
    default_rates,
    parse_rates,
)
from gateway.rate_limit.verdict import Verdict

__all__ = [
    "CLASSES",
    "FIXED_WINDOWS",
    "GUARDS_SECRETS",
    "MAX_BUCKETS",
    "NEVER_REFUSED",
    "Rate",
    "RateLimiter",
    "Verdict",
    "default_rates",
    "parse_rates",
]
