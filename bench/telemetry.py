"""What telemetry costs: ``make bench-telemetry``.

Starts PostgreSQL, the learnings service, and the gateway before an auth service in which every key
holds; sends batches of 100 events of a 0.62 client's shape, directly with the gateway's assertion
and through the gateway with an API key, from 64 installations and from a single one. Prints events
a second and CPU per event of each process. The load comes from this process, on the same cores.
Measures, judges nothing.

    python -m bench.telemetry [--batches 600] [--installations 64] [--lanes 16]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import psutil
import uvloop

from bench.process import child, free_port
from bench.service import (
    KEY,
    Clock,
    ask,
    database_server,
    head,
    loop_ns,
    make_database,
    running,
    say,
    with_body,
)
from guildhall.embedded.server import EmbeddedPostgres
from shared.principal import Kind, Principal
from shared.secret import encode_base64url

BATCH: Final = 100
ROUNDS: Final = 3
PATH: Final = "/v1/telemetry"
TOOLS: Final = ("read_file", "edit_file", "search", "run_tests", "shell", "learn", "recall")
KEY_OF_ONE: Final = Principal(Kind.API_KEY, "key_1", "org_1", "member", ("*",), "key_1", "usr_1")


@dataclass(frozen=True, slots=True)
class House:
    """What runs, and what is sent."""

    server: EmbeddedPostgres
    service: psutil.Process
    service_port: int
    gateway: psutil.Process
    gateway_port: int
    batches: int
    lanes: int


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.telemetry")
    parser.add_argument("--batches", type=int, default=600, help="per round")
    parser.add_argument("--installations", type=int, default=64)
    parser.add_argument("--lanes", type=int, default=16, help="requests under way")
    arguments = parser.parse_args()
    with database_server() as server, tempfile.TemporaryDirectory() as folder:
        uvloop.run(_measure(server, folder, arguments))


async def _measure(server: EmbeddedPostgres, folder: str, arguments: argparse.Namespace) -> None:
    urls = await make_database(server, "bench", "learnings")
    probe = head("learnings", KEY_OF_ONE, "GET", "/v1/learnings") + b"\r\n"
    settings = {
        "GUILDHALL_DATABASE_POOL_SIZE": "8",
        "GUILDHALL_DATA_DIR": folder,
    }
    say(f"a turn of an empty loop: {loop_ns():.0f} ns (30 to 40 on an idle machine of today)")
    columns = ("events/s", "service us", "postgres us", "gateway us", "p95 ms")
    say(f"{'CPU per event':40}" + "".join(f"{name:>13}" for name in columns))
    async with running("learnings", urls, probe, **settings) as (port, service):
        with _gateway(port) as (gateway, gateway_port):
            house = House(
                *(server, service, port, gateway, gateway_port),
                *(arguments.batches, arguments.lanes),
            )
            for installations in (arguments.installations, 1):
                for is_direct in (True, False):
                    await _rounds(house, installations, is_direct=is_direct)
            await _figures(urls["learnings"], port)


@contextmanager
def _gateway(learnings: int) -> Iterator[tuple[psutil.Process, int]]:
    auth, port = free_port(), free_port()
    seed = encode_base64url(secrets.token_bytes(32))
    environment = {
        "PATH": os.environ["PATH"],
        "GUILDHALL_PORT": str(port),
        "GUILDHALL_METRICS_PORT": "0",
        "GUILDHALL_ROOT_SECRET": encode_base64url(secrets.token_bytes(32)),
        "GUILDHALL_LEARNINGS_ASSERTION_KEY": encode_base64url(KEY),
        "GUILDHALL_PUBLIC_URL": "http://127.0.0.1:8000",
        "GUILDHALL_AUTH_URL": f"http://127.0.0.1:{auth}",
        "GUILDHALL_LEARNINGS_URL": f"http://127.0.0.1:{learnings}",
        "GUILDHALL_RATE_LIMITS": "telemetry=100000000/60",
        "GUILDHALL_LOG_LEVEL": "error",
    }
    stub = [sys.executable, "-m", "bench.stub_auth", str(auth), seed]
    with (
        child(stub, auth),
        child([sys.executable, "-m", "gateway"], port, environment) as process,
    ):
        time.sleep(1)  # for the signing keys
        yield process, port


def _head(house: House, *, is_direct: bool) -> bytes:
    if is_direct:
        return head("learnings", KEY_OF_ONE, "POST", PATH)
    start = f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{house.gateway_port}\r\n"
    return (start + f"authorization: Bearer trw_live_{'k' * 43}\r\n").encode()


def _bodies(count: int, installations: int) -> Iterator[bytes]:
    began = datetime.now(UTC) - timedelta(hours=1)
    for number in range(count):
        installation = f"{number % installations:016x}"
        session = secrets.token_hex(8)
        events = [_event(began, number, turn, installation, session) for turn in range(BATCH)]
        yield json.dumps({"events": events}).encode()


def _event(
    began: datetime, number: int, turn: int, installation: str, session: str
) -> dict[str, object]:
    at = began + timedelta(milliseconds=number * 50 + turn * 7)
    return {
        "ts": at.isoformat(),
        "event_type": "tool_invocation",
        "tool_name": TOOLS[turn % len(TOOLS)],
        "outcome": "success" if turn % 20 else "error",
        "status": "success" if turn % 20 else "error",
        "success": bool(turn % 20),
        "session_id": f"ses-{session}",
        "run_id": None,
        "duration_ms": round(1.5 + (number * 31 + turn * 17) % 4_000 / 3, 3),
        "installation_id": installation,
        "framework_version": "v27.6_TRW",
        "agent_role": "lead",
        "event_id": f"evt_{secrets.token_hex(8)}",
        "tool_call_id": f"toolu_{secrets.token_hex(8)}",
        "turn_index": turn,
        "input_hash": secrets.token_hex(8),
        "output_hash": secrets.token_hex(8),
    }


async def _rounds(house: House, installations: int, *, is_direct: bool) -> None:
    """Print the cheapest of the rounds, which neighbours disturbed least."""
    rounds = []
    for _ in range(ROUNDS):
        bodies = list(_bodies(house.batches, installations))
        start = _head(house, is_direct=is_direct)
        requests = [with_body(start, body) for body in bodies]
        port = house.service_port if is_direct else house.gateway_port
        gateway = _seconds(house.gateway)
        with Clock(house.service, house.server) as clock:
            taken = await _drive(port, requests, house.lanes)
            wall = clock.wall()
        events = len(requests) * BATCH
        costs = (*clock.taken, _seconds(house.gateway) - gateway)
        p95 = sorted(taken)[int(len(taken) * 0.95)]
        rounds.append((wall / events, *(cost / events for cost in costs), p95 * 1e-3))
    each, *costs_us, p95_s = (min(column) for column in zip(*rounds, strict=True))
    what = f"{'direct' if is_direct else 'through the gateway'}, {installations} installations"
    figures = (1 / each, *(cost * 1e6 for cost in costs_us))
    say(f"{what:40}" + "".join(f"{figure:>13,.0f}" for figure in figures) + f"{p95_s * 1e6:>13.1f}")


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def _drive(port: int, requests: Sequence[bytes], lanes: int) -> list[float]:
    """Send everything; give the seconds that each request took."""
    left = iter(requests)
    taken: list[float] = []

    async def lane() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        for request in left:
            started = time.perf_counter()
            body = await ask(reader, writer, request)
            taken.append(time.perf_counter() - started)
            if b'"duplicates":0' not in body:
                raise SystemExit(f"unexpected answer: {body!r}")
        writer.close()

    async with asyncio.timeout(300), asyncio.TaskGroup() as group:
        for _ in range(lanes):
            group.create_task(lane())
    return taken


async def _figures(url: str, port: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        stored = await connection.fetchval("SELECT count(*) FROM learnings.telemetry_event")
        waiting = await connection.fetchval("SELECT count(*) FROM learnings.telemetry_batch")
    finally:
        await connection.close()
    request = head("learnings", KEY_OF_ONE, "GET", PATH + "/summary?days=90") + b"\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    taken = []
    for _ in range(15):
        started = time.perf_counter()
        await ask(reader, writer, request)
        taken.append(time.perf_counter() - started)
    writer.close()
    say(f"{stored:,} events stored, {waiting:,} requests not in the figures yet")
    say(f"a summary of 90 days: median {sorted(taken)[7] * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
