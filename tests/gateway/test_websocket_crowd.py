"""Ten thousand idle sockets in one gateway, and what each of them costs it."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.gateway.gateway_process import GatewayProcess, gateway_process
from tests.gateway.sockets import target

ROOT = Path(__file__).resolve().parents[2]
SOCKETS = 10_000
MOST_BYTES = 40 * 1024
"""Of the gateway's memory for one socket, both of its legs."""

SPARE = 1_200
"""Files that a gateway needs for everything else."""


@pytest.fixture
def workers() -> Iterator[int]:
    """Let the processes have the files that two legs each need; where one may not, two share."""
    soft, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * SOCKETS + SPARE
    with suppress(ValueError, OSError):  # only some may raise what is hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), max(hard, wanted)))
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    yield 1 if allowed >= wanted else 2
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@asynccontextmanager
async def lean(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process of the crowd."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.gateway.idle_sockets",
        *words,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 120)).decode().strip()


def tell(process: asyncio.subprocess.Process, words: str = "") -> None:
    assert process.stdin is not None
    process.stdin.write(f"{words}\n".encode())


def resident(pids: Sequence[int]) -> int:
    """Give the memory of processes in bytes."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
async def test_ten_thousand_idle_sockets(workers: int) -> None:
    async with lean("serve") as service:
        port = await line(service)
        settings = {
            "GUILDHALL_TEAMS_URL": f"http://127.0.0.1:{port}",
            "GUILDHALL_SOCKETS_EACH": str(SOCKETS),
            "GUILDHALL_UPSTREAM_CHECK_INTERVAL": "0",
        }
        async with gateway_process(workers, values=settings) as gateway:
            pids = list(gateway.workers.values()) or [gateway.pid]
            before = resident(pids)
            async with lean("call", str(gateway.port), str(SOCKETS)) as callers:
                while (said := await line(callers)) == "more":
                    tell(callers, target())
                assert said == "stand"
                assert await open_sockets(gateway) == SOCKETS
                idle = (resident(pids) - before) / SOCKETS
                tell(callers)
                assert await line(callers) == "alive"
                used = (resident(pids) - before) / SOCKETS
            assert max(idle, used) <= MOST_BYTES
            async with asyncio.timeout(60):
                while await open_sockets(gateway):
                    await asyncio.sleep(0.05)


async def open_sockets(gateway: GatewayProcess) -> float:
    """Count the open sockets of all workers."""
    name = "guildhall_gateway_open_sockets"
    return sum(value for key, value in (await gateway.metrics()).items() if key.startswith(name))
