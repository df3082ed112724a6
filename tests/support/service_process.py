"""One service as a process of its own, on a test's database: to have several, and to kill one."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

import httpx

from guildhall import child
from shared.secret import encode_base64url
from tests.support.ports import free_port
from tests.support.service import ASSERTION_KEY

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT = 60.0


class Urls(Protocol):
    """Where a service's database and bus are."""

    def url(self, schema: str) -> str:
        """Give the address of one schema."""


class ServiceProcess:
    """A running service; its address is ``url``.

    Args:
        name: of the service.
        database_url: of its schema.
        bus_url: of the bus.
        folder: for its files.
        values: GUILDHALL_ variables on top.
    """

    def __init__(
        self, name: str, database_url: str, bus_url: str, folder: Path, **values: str
    ) -> None:
        self._name = name
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONPATH": str(ROOT),
            "GUILDHALL_PROFILE": "development",
            "GUILDHALL_DATABASE_URL": database_url,
            "GUILDHALL_BROKER_URL": bus_url,
            "GUILDHALL_ASSERTION_KEY": encode_base64url(ASSERTION_KEY),
            "GUILDHALL_ROOT_SECRET": encode_base64url(ASSERTION_KEY),
            "GUILDHALL_DATA_DIR": str(folder),
            "GUILDHALL_PORT": str(self._port),
            "GUILDHALL_LOG_LEVEL": "warning",
            **values,
        }
        self._process: asyncio.subprocess.Process

    async def start(self) -> None:
        """Start it, and wait until it can work."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(child.__file__),  # so that it ends with us if we are killed
            "-m",
            f"services.{self._name}",
            "serve",
            cwd=ROOT,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(START_LIMIT), httpx.AsyncClient() as client:
            while True:
                assert self._process.returncode is None, "the service has ended"
                with suppress(httpx.TransportError):
                    if (await client.get(self.url + "/health/ready")).status_code == 200:
                        return
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """Kill it without warning."""
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and wait."""
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()


@asynccontextmanager
async def running_service(
    name: str, urls: Urls, folder: Path, **values: str
) -> AsyncIterator[ServiceProcess]:
    """Run a service on a test's database."""
    process = ServiceProcess(name, urls.url(name), urls.url("bus"), folder, **values)
    await process.start()
    try:
        yield process
    finally:
        await process.stop()
