"""A real gateway on a real socket before five fake services."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
import uvicorn

from gateway.app import Gateway
from gateway.rate_limit import CLASSES, NEVER_REFUSED
from gateway.settings import GatewaySettings
from gateway.upstream.breaker import Trip
from gateway.upstream.limits import Limits
from shared.principal import ASSERTION_HEADER, Principal, verify_assertion
from shared.secret import encode_base64url
from shared.settings import SERVICES
from tests.gateway.fake_auth import ISSUER, FakeAuth
from tests.gateway.fake_service import Asked, FakeService, echo, running

KEYS = {name: bytes([ord(name[0])]) * 32 for name in SERVICES} | {"agents": b"g" * 32}
# One test's faults must not close an address to the next.
NEVER = Trip(faults=1_000_000, volume=1_000_000)
QUICK = Limits(connect=2.0, head=1.5, idle=1.5, stall=1.5, tick=0.05, trip=NEVER)
PATIENT = Limits(tick=0.05, trip=NEVER)


class Server(uvicorn.Server):
    """uvicorn that leaves the test run's signal handlers alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(app: Gateway) -> AsyncIterator[int]:
    """Serve an app on a free port."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        http=app.data_path.protocol,  # type: ignore[arg-type]  # called like one
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started or task.done())
        assert server.started
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        await asyncio.sleep(0.005)


@dataclass
class House:
    """The gateway under test, its services, and a client."""

    gateway: Gateway
    port: int
    auth: FakeAuth
    services: dict[str, FakeService]
    client: httpx.AsyncClient
    keys: dict[str, bytes] = field(default_factory=lambda: KEYS)

    @property
    def learnings(self) -> FakeService:
        return self.services["learnings"]

    def bearer(self, token: str | None = None) -> dict[str, str]:
        return {"authorization": f"Bearer {token or self.auth.token()}"}

    def principal(self, service: str, asked: Asked | None = None) -> Principal:
        """Read the assertion that a service got last."""
        asked = asked or self.services[service].asked[-1]
        assertion = asked.header(ASSERTION_HEADER)
        return verify_assertion(self.keys[service], service, assertion, time.time())

    async def raw(self, data: bytes) -> bytes:
        """Send bytes and read until the gateway closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        await writer.drain()
        try:
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()


def settings(services: dict[str, FakeService], **changes: object) -> GatewaySettings:
    """Give settings that point to fake services."""
    given: dict[str, object] = {
        "GUILDHALL_PUBLIC_URL": ISSUER,
        "GUILDHALL_METRICS_PORT": 0,
        # What is refused is looked at often, and waited for only where that is the matter.
        "GUILDHALL_SOCKET_WAIT": 0,
    }
    for name in SERVICES:
        given[f"GUILDHALL_{name.upper()}_URL"] = services[name].url
        given[f"GUILDHALL_{name.upper()}_ASSERTION_KEY"] = encode_base64url(KEYS[name])
    given |= {f"GUILDHALL_{name.upper()}": value for name, value in changes.items()}
    return GatewaySettings.model_validate(given)


@asynccontextmanager
async def house(limits: Limits = QUICK, **changes: object) -> AsyncIterator[House]:
    """Build a house; keyword arguments are settings."""
    async with AsyncExitStack() as stack:
        auth = FakeAuth()
        services = {name: auth if name == "auth" else FakeService() for name in SERVICES}
        for service in services.values():
            await stack.enter_async_context(running(service))
        gateway = Gateway(settings(services, **changes), limits)
        port = await stack.enter_async_context(served(gateway))
        await until(lambda: gateway.signing_keys.is_loaded)
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20)
        await stack.enter_async_context(client)
        yield House(gateway, port, auth, services, client)


PLENTY = " ".join(f"{name}=1000000/1" for name in sorted(CLASSES - NEVER_REFUSED))


@pytest.fixture(scope="session")
async def shared_house() -> AsyncIterator[House]:
    """One house for all tests that leave it whole; its limits are out of the way."""
    async with house(rate_limits=PLENTY) as built:
        yield built


@pytest.fixture(scope="session")
async def patient_house() -> AsyncIterator[House]:
    """The same for tests in which nothing may run out of time, however busy the machine."""
    async with house(PATIENT, rate_limits=PLENTY) as built:
        yield built


@pytest.fixture
async def home(shared_house: House) -> AsyncIterator[House]:
    """The shared house, its services back to good behaviour."""
    with tidied(shared_house):
        yield shared_house


@pytest.fixture
async def patient(patient_house: House) -> AsyncIterator[House]:
    """The patient house, its services back to good behaviour."""
    with tidied(patient_house):
        yield patient_house


@contextlib.contextmanager
def tidied(built: House) -> Iterator[None]:
    """Forget what services heard before, and mend how they behave afterwards."""
    for service in built.services.values():
        service.asked.clear()
    built.auth.looked_up.clear()
    yield
    for name, service in built.services.items():
        service.reads_body = True
        if name != "auth":
            service.behave = echo
    built.auth.otherwise = echo
    built.auth.before_answer = None
