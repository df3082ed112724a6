"""Upstreams that keep every byte a gateway sends them, and two parsers that judge those bytes.

A ``Tap`` is a raw relay before a service. The service proper is uvicorn with the very guard that
the real services have; the second judge is h11, a parser of another family, which reads the same
bytes afterwards. Where the two differ, or one finds more than the other, a request was smuggled.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote

import h11
import uvicorn
from uvicorn.server import ServerState

from gateway.app import Gateway
from gateway.upstream.pool import Limits
from shared.middleware import AssertionGuard, ErrorBoundary, RequestContext, normalized_path
from shared.principal import ASSERTION_HEADER, Principal
from shared.settings import SERVICES
from tests.gateway.conftest import KEYS, PLENTY, Server, served, settings, until
from tests.gateway.fake_auth import FakeAuth
from tests.gateway.fake_service import FakeService, running

CREDENTIALS = {"usr_ada": "ses_ada", "usr_eve": "ses_eve", "usr_victim": "ses_victim"}
"""Who may call, and by which session."""


@dataclass(frozen=True)
class Seen:
    """A request as a judge read it."""

    service: str
    method: str
    target: str
    body: bytes

    @property
    def path(self) -> str:
        """The path as a service routes by it."""
        return normalized_path(unquote(self.target.partition("?")[0]))


@dataclass(frozen=True)
class Heard:
    """A request as the service proper took it, past its guard."""

    seen: Seen
    principal: Principal
    claimed: str
    is_own_path: bool


class Service:
    """The ASGI app behind a tap: tells what it was asked, and keeps it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[Heard] = []
        guarded = AssertionGuard(self._answer, name, KEYS[name])
        self.app = RequestContext(ErrorBoundary(guarded))

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        query = scope["query_string"].decode("latin-1")
        target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        seen = Seen(self.name, scope["method"], target, body)
        headers = [(key, value.decode("latin-1")) for key, value in scope["headers"]]
        claimed = ",".join(value for key, value in headers if key == b"x-who")
        assert sum(key == ASSERTION_HEADER.encode() for key, _ in headers) == 1
        principal = scope["principal"]
        self.heard.append(Heard(seen, principal, claimed, seen.path == scope["path"]))
        content = json.dumps(
            [seen.method, seen.target, body.decode("latin-1"), principal.subject]
        ).encode()
        start = [(b"content-length", b"%d" % len(content)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        await send({"type": "http.response.body", "body": content})


class Tap:
    """A raw relay that keeps what passes towards the service."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.received: list[bytearray] = []
        self.url = ""
        self._port = port
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Tap:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        kept = bytearray()
        self.received.append(kept)
        back, forth = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                async with asyncio.TaskGroup() as group:
                    group.create_task(_relay(reader, forth, kept))
                    group.create_task(_relay(back, writer, None))
        finally:
            self._tasks.discard(task)
            writer.close()
            forth.close()

    def read(self) -> list[Seen]:
        """Let h11 read everything that came; it must find whole requests and nothing else."""
        return [seen for kept in self.received if kept for seen in _judge(self.name, bytes(kept))]


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray | None
) -> None:
    try:
        while data := await reader.read(65_536):
            if kept is not None:
                kept += data
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


def _judge(service: str, data: bytes) -> list[Seen]:
    found: list[Seen] = []
    judge = h11.Connection(h11.SERVER, max_incomplete_event_size=2**20)
    judge.receive_data(data)
    request: h11.Request | None = None
    body = b""
    while True:
        event = judge.next_event()
        if isinstance(event, h11.Request):
            request, body = event, b""
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert request is not None
            assert not event.headers, "a trailer reached the service"
            target = request.target.decode("latin-1")
            if target.find("?") == len(target) - 1:
                target = target[:-1]  # uvicorn does not tell an empty query from none
            found.append(Seen(service, request.method.decode("ascii"), target, body))
            judge.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            judge.send(h11.EndOfMessage())
            judge.start_next_cycle()
        else:
            break
    assert judge.our_state is h11.IDLE, "half a request reached the service"
    assert judge.trailing_data == (b"", False), "something else follows the last request"
    return found


class Court:
    """A gateway before taps, and what the judges say."""

    def __init__(
        self, gateway: Gateway, port: int, auth: FakeAuth, taps: list[Tap], services: list[Service]
    ) -> None:
        self.gateway = gateway
        self.port = port
        self._auth = auth
        self._taps = taps
        self._services = services
        self._state = ServerState()
        self.tokens = {
            who: auth.token(session, sub=who).encode() for who, session in CREDENTIALS.items()
        }

    def connect(self) -> asyncio.Protocol:
        """Make the protocol of one more caller's connection, as the server does."""
        config = uvicorn.Config(self.gateway)
        protocol = self.gateway.data_path.protocol(config, self._state, {})
        return cast(asyncio.Protocol, protocol)

    def fill(self, raw: bytes) -> bytes:
        """Write credentials where a case says ``<ada>`` and the like."""
        for who, token in self.tokens.items():
            line = b"authorization: Bearer %b\r\nx-who: %b\r\n" % (token, who.encode())
            raw = raw.replace(b"<%b>\r\n" % who[4:].encode(), line)
        return raw

    def forget(self) -> None:
        """Begin anew: what connections carried so far is judged already."""
        for tap in self._taps:
            for kept in tap.received:
                kept.clear()
        for service in self._services:
            service.heard.clear()
        self._auth.asked.clear()

    @property
    def heard(self) -> list[Heard]:
        """What the services took, in their order."""
        return [heard for service in self._services for heard in service.heard]

    @property
    def seen(self) -> list[Seen]:
        """What h11 finds in the bytes, without the gateway's own questions to auth."""
        return [
            seen
            for tap in self._taps
            for seen in tap.read()
            if not seen.target.startswith(("/internal/", "/.well-known/", "/health"))
        ]


@asynccontextmanager
async def court(limits: Limits | None = None) -> AsyncIterator[Court]:
    """Open one; auth itself is a fake that h11 alone judges."""
    async with AsyncExitStack() as stack:
        auth = FakeAuth()
        await stack.enter_async_context(running(auth))
        services = [Service(name) for name in SERVICES if name != "auth"]
        ports = {"auth": auth.port}
        for service in services:
            ports[service.name] = await stack.enter_async_context(_uvicorn(service))
        taps = {
            name: await stack.enter_async_context(Tap(name, port)) for name, port in ports.items()
        }
        given = settings(cast(dict[str, FakeService], taps), rate_limits=PLENTY)
        gateway = Gateway(given, limits or Limits(head=5.0, idle=1.0, tick=0.05))
        port = await stack.enter_async_context(served(gateway))
        await until(lambda: gateway.signing_keys.is_loaded)
        yield Court(gateway, port, auth, list(taps.values()), services)


@asynccontextmanager
async def _uvicorn(service: Service) -> AsyncIterator[int]:
    config = uvicorn.Config(
        service.app,
        host="127.0.0.1",
        port=0,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started or task.done())
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task
