"""How fast the bus is: ``make bench-bus``.

Measures, on throw-away servers of its own: events a second through the relay (outbox to
transport), events a second through a worker with one small write each, and the time from commit to
handled on an idle system. A benchmark, not a test: it prints and judges nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import uvloop

from shared.bus import Relay, Subscription, Transport, Worker, connect
from shared.db import Connection
from shared.log import configure
from tests.shared.bus.harness import House, NotedBase, eventually, new_house
from tests.support.postgres import DatabaseServer
from tests.support.rabbit import Rabbit, server_program

NOTE = "x" * 150
"""Makes a payload of about 270 bytes."""

PATIENCE = 300.0
"""Seconds after which a measurement is given up."""

IDLE = 0.05
"""Seconds of quiet before each sample of the delay: longer than the relay gathers."""

SAY = 500
"""Events said in one transaction while filling the outbox."""


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.bus", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000, help="for the rates (at most 200000)")
    parser.add_argument("--samples", type=int, default=200, help="for the delay (at most 5000)")
    parser.add_argument("--transport", choices=["postgres", "rabbit"], action="append")
    arguments = parser.parse_args()
    configure("bench", "warning", "console")
    uvloop.run(
        run(
            arguments.transport or ["postgres", "rabbit"],
            min(arguments.events, 200_000),
            min(arguments.samples, 5_000),
        )
    )


async def run(transports: list[str], events: int, samples: int) -> None:
    """Measure each transport and print a table."""
    say(f"{events} events of {len(NOTE) + 120} bytes, {samples} samples, one process\n")
    heads = ("relay", "worker, 1 lane", "worker, 8 lanes", "commit to handled")
    say(" " * 10 + "".join(f"{head:>28}" for head in heads))
    for name in transports:
        if name == "rabbit" and server_program() is None:
            say("rabbit      not installed")
            continue
        async with environment(name) as (house, transport):
            relayed = await relay_rate(house, transport, events)
            single = await worker_rate(house, transport, events // 4, 1)
            eight = await worker_rate(house, transport, events, 8)
            delays = await delay(house, transport, samples)
        median, p99 = statistics.median(delays), sorted(delays)[int(len(delays) * 0.99) - 1]
        say(
            f"{name:10}{relayed:>28}{single:>28}{eight:>28}"
            f"{f'median {median * 1000:.1f}, p99 {p99 * 1000:.1f} ms':>28}"
        )


@asynccontextmanager
async def environment(name: str) -> AsyncIterator[tuple[House, Transport]]:
    """Start the servers, build a small service, and open the transport."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guildhall-bench-")))
        server = await stack.enter_async_context(keeper(folder))
        house = await stack.enter_async_context(new_house(server, folder))
        if name == "rabbit":
            url = stack.enter_context(Rabbit.running(os.cpu_count() or 1)).url
        else:
            url = (await stack.enter_async_context(server.clone())).url("bus")
        transport = await connect(url)
        stack.push_async_callback(transport.close)
        await ready(transport)
        yield house, transport


@asynccontextmanager
async def keeper(folder: Path) -> AsyncIterator[DatabaseServer]:
    """Give a PostgreSQL that ends with this block, not only with this process."""
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import sys; sys.stdin.read()", stdin=asyncio.subprocess.PIPE
    )
    try:
        async with DatabaseServer.connect(folder, owner.pid) as server:
            yield server
    finally:
        owner.kill()
        await owner.wait()


async def relay_rate(house: House, transport: Transport, count: int) -> str:
    """Measure how fast a full outbox empties."""
    await transport.declare(f"{house.schema}.sink", [house.Noted.kind])
    await fill(house, count)
    watch = Watch()
    async with Relay(house.database, house.schema, transport):
        await emptied(house)
    result = watch.rate(count)
    await transport.remove(f"{house.schema}.sink")
    return result


async def worker_rate(house: House, transport: Transport, count: int, lanes: int) -> str:
    """Measure how fast a worker empties its queue."""
    done = 0

    async def handler(connection: Connection, event: NotedBase) -> None:
        nonlocal done
        await house.effect("bench")(connection, event)
        done += 1

    queue = f"bench{lanes}"
    await transport.declare(f"{house.schema}.{queue}", [house.Noted.kind])
    await fill(house, count)
    async with Relay(house.database, house.schema, transport):
        await emptied(house)
    subscription = Subscription(queue, house.Noted, handler, concurrency=lanes)
    watch = Watch()
    async with Worker(house.database, house.schema, transport, [subscription]):
        await eventually(lambda: done >= count, PATIENCE)
        result = watch.rate(count)
    await transport.remove(f"{house.schema}.{queue}")
    return result


async def delay(house: House, transport: Transport, samples: int) -> list[float]:
    """Measure the seconds from commit to the handler's commit, one event at a time."""
    handled = asyncio.Event()

    async def handler(connection: Connection, event: NotedBase) -> None:
        handled.set()

    delays = []
    subscription = Subscription("delay", house.Noted, handler)
    async with (
        Relay(house.database, house.schema, transport),
        Worker(house.database, house.schema, transport, [subscription]),
    ):
        for sample in range(samples + 10):
            handled.clear()
            await house.say(NOTE)
            start = time.perf_counter()
            async with asyncio.timeout(30):
                await handled.wait()
            if sample >= 10:
                delays.append(time.perf_counter() - start)
            await asyncio.sleep(IDLE)
    return delays


async def fill(house: House, count: int) -> None:
    """Put events into the outbox."""
    for start in range(0, count, SAY):
        await house.say(*[NOTE] * min(SAY, count - start))


async def emptied(house: House) -> None:
    """Wait until the relay has published everything."""

    async def is_empty() -> bool:
        return not await house.fetch("SELECT FROM {schema}.outbox LIMIT 1")

    await eventually(is_empty, PATIENCE)


async def ready(transport: Transport) -> None:
    """Wait until the transport is connected."""
    async with asyncio.timeout(60):
        await transport.ping()


class Watch:
    """Wall-clock time and this process's CPU since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._cpu = _cpu()

    def rate(self, count: int) -> str:
        """Say how many a second, and the CPU of this process for each."""
        seconds, cpu = time.perf_counter() - self._start, _cpu() - self._cpu
        return f"{count / seconds:,.0f}/s {cpu / count * 1e6:.0f} us"


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
