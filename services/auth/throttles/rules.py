"""When enough is enough."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address, ip_address

from services.auth.throttles.models import Count, Counted


def digest(counted: Counted) -> bytes:
    """Give what is stored of a key: its SHA-256."""
    key = network(counted.key) if counted.limit.is_network else counted.key
    return hashlib.sha256(key.encode()).digest()


def network(address: str) -> str:
    """Give the part of a network address that belongs to one subscriber."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return address


def seconds_to_wait(counts: Iterable[tuple[Counted, Count]], *, over: bool = False) -> int:
    """Tell how long nothing more is tried: 0 while every count is below its limit.

    Args:
        counts: what was counted, each with its limit.
        over: whether the limit itself is still allowed, as for a failure that was just counted.
    """
    waits = [
        math.ceil((count.ends_at - count.now).total_seconds())
        for counted, count in counts
        if count.failures >= counted.limit.most + over
    ]
    return max((*waits, 0))


def paired(
    wanted: Iterable[Counted], found: Mapping[tuple[str, bytes], Count]
) -> list[tuple[Counted, Count]]:
    """Put each wanted counter beside what was found of it."""
    return [
        (counted, count)
        for counted in wanted
        if (count := found.get((counted.limit.bucket, digest(counted)))) is not None
    ]
