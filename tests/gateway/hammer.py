"""A process that takes tokens as fast as it can: ``hammer URL WINDOW CLASS=LIMIT...``.

Says ``ready``, begins when it reads a line, takes as many times as the limit, class by class, and
prints for each how many were allowed and how many seconds it took.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping

from gateway.rate_limit import Rate
from tests.gateway.shared_limits import ask, shared_limiter


async def main(url: str, rates: Mapping[str, Rate]) -> None:
    """Take as told."""
    async with shared_limiter(url, rates) as limiter:
        assert limiter.is_up
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        for name, rate in rates.items():
            start, allowed = time.monotonic(), 0
            for _ in range(rate.limit):
                allowed += (await ask(limiter, name, "usr_one")).allowed
            sys.stdout.write(f"{allowed} {time.monotonic() - start}\n")


if __name__ == "__main__":
    address, seconds, *words = sys.argv[1:]
    named = dict(word.split("=") for word in words)
    told = {name: Rate(int(limit), float(seconds)) for name, limit in named.items()}
    asyncio.run(main(address, told))
