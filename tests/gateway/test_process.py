"""``python -m gateway`` as a process: starts, serves, counts, stops when told."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from shared.secret import encode_base64url
from tests.gateway.fake_auth import ISSUER, FakeAuth
from tests.gateway.fake_service import Asked, FakeService, plain, running

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def process(**changes: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "GUILDHALL_PORT": str(port)} | changes
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", cwd=ROOT, env=environment, stderr=subprocess.PIPE
    )
    try:
        yield child, port
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def _answers(client: httpx.AsyncClient, path: str) -> httpx.Response:
    for _ in range(400):
        try:
            answer = await client.get(path)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code == 200:
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError(f"{path} did not answer")


async def test_serves_counts_and_stops() -> None:
    async with running(FakeAuth()) as auth, running(FakeService()) as learnings:
        assert isinstance(auth, FakeAuth)
        metrics_port = free_port()
        environment = {
            "GUILDHALL_ROOT_SECRET": encode_base64url(b"r" * 32),
            "GUILDHALL_AUTH_ASSERTION_KEY": encode_base64url(b"a" * 32),
            "GUILDHALL_PUBLIC_URL": ISSUER,
            "GUILDHALL_AUTH_URL": auth.url,
            "GUILDHALL_LEARNINGS_URL": learnings.url,
            "GUILDHALL_METRICS_PORT": str(metrics_port),
        }
        async with process(**environment) as (child, port), httpx.AsyncClient() as client:
            await _answers(client, f"http://127.0.0.1:{port}/health/ready")
            under_way = asyncio.Event()
            release = asyncio.Event()

            async def slow(
                asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
            ) -> None:
                under_way.set()
                await release.wait()
                writer.write(plain(200, b"done"))

            headers = {"authorization": f"Bearer {auth.token()}"}
            url = f"http://127.0.0.1:{port}/v1/learnings"
            answer = await client.get(url, headers=headers)
            assert answer.status_code == 200
            assert "server" not in answer.headers
            metrics = (await client.get(f"http://127.0.0.1:{metrics_port}/metrics")).text
            assert 'upstream="learnings",row="/v1",status="2xx"} 1\n' in metrics
            assert "guildhall_gateway_request_seconds_bucket" in metrics
            assert "process_resident_memory_bytes" in metrics
            assert (await client.get(f"http://127.0.0.1:{port}/metrics")).status_code == 404

            learnings.behave = slow
            last = asyncio.create_task(client.get(url, headers=headers))
            await under_way.wait()
            child.send_signal(signal.SIGTERM)
            release.set()
            assert (await last).text == "done", "what is under way is finished"
            status = await asyncio.wait_for(child.wait(), 20)
            assert status in (0, -signal.SIGTERM)


async def test_missing_settings_stop_it_by_name() -> None:
    async with process() as (child, _):
        _, errors = await asyncio.wait_for(child.communicate(), 20)
        assert child.returncode == 78
        assert b"root_secret" in errors
