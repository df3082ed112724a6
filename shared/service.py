"""What every domain service is made of: the app, its lifetime, and its command line.

A service's ``app.py`` declares a ``Service``; everything else about being a process stands here
once.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvloop
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp

from shared import VERSION, idempotency, openapi
from shared.api import Operation, authorize, decode, encode, routes
from shared.bus import Relay, Subscription, Transport, Worker, connect
from shared.db import Database
from shared.errors import Forbidden, ServiceError, Unavailable, UnknownPath
from shared.log import configure, get_logger
from shared.middleware import AssertionGuard, ErrorBoundary, RequestContext
from shared.migrate import migrate
from shared.secret import derive
from shared.serving import serve_app
from shared.settings import ServiceSettings, read_or_exit
from shared.streams import Draining

Resources = Mapping[type, Any]
"""What a service opened at start, by type; endpoints and handlers ask for it by type."""

PROBE_TIMEOUT: Final = 3.0
"""Seconds that readiness waits for the database and the bus."""

SWEEP_INTERVAL: Final = 3600.0
"""Seconds between two clean-ups of what has expired."""

PERSONAL: Final = {"x-pii-access": "true"}
"""On every answer and refusal of a ``personal`` operation."""

log = get_logger()

Sweep = Callable[[Database], Awaitable[object]]
"""A clean-up of what has expired; harmless when several processes do it at once."""


@asynccontextmanager
async def no_resources(
    settings: Any, database: Database, transport: Transport
) -> AsyncIterator[Resources]:
    """Open nothing: the default of a service that needs its database only."""
    yield {}


@asynccontextmanager
async def no_background(resources: Resources, database: Database) -> AsyncIterator[None]:
    """Do nothing beside: the default of a service that answers and hears only."""
    yield


async def no_probes(resources: Resources) -> Mapping[str, bool]:
    """Try nothing more: the default of a service that needs its database and the bus alone."""
    return {}


def no_sweeps(resources: Resources) -> Sequence[Sweep]:
    """Sweep nothing: the default of a service where nothing expires."""
    return ()


def no_subscriptions(resources: Resources) -> Sequence[Subscription[Any]]:
    """Hear nothing: the default of a service that only speaks."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One domain service, declared in its ``app.py``.

    Attributes:
        name: also of its schema and its assertion audience.
        settings: read from the environment at start.
        migrations: the folder with its numbered SQL files.
        operations: the rows of all its resources.
        subscriptions: the events it hears, given its resources.
        open_resources: opens what endpoints need beside the database, closes it at the end; given
            the settings, the database and the bus.
        background: what goes on beside requests in the processes that relay and consume, given the
            resources; it stops at the end.
        labour: what goes on in ``work`` alone, because it is too heavy beside requests; likewise.
        sweeps: the clean-ups that are done there every hour, given the resources.
        probes: what else must hold before it can answer, by name, given the resources; bounded in
            time by itself or cut off after 3 s.
        unknown_path: the error for a path that no operation has.
        websocket: the protocol class that serves sockets, constructed by uvicorn with ``config``,
            ``server_state`` and ``app_state``, whose ``resources`` are those of the service.
        on_refused: told of every operation that a known caller was forbidden, for an audit log.
    """

    name: str
    settings: type[ServiceSettings]
    migrations: Path
    operations: Sequence[Operation] = ()
    subscriptions: Callable[[Resources], Sequence[Subscription[Any]]] = no_subscriptions
    open_resources: Callable[[Any, Database, Transport], AbstractAsyncContextManager[Resources]] = (
        no_resources
    )
    background: Callable[[Resources, Database], AbstractAsyncContextManager[None]] = no_background
    labour: Callable[[Resources, Database], AbstractAsyncContextManager[None]] = no_background
    sweeps: Callable[[Resources], Sequence[Sweep]] = no_sweeps
    probes: Callable[[Resources], Awaitable[Mapping[str, bool]]] = no_probes
    unknown_path: Callable[[], ServiceError] = field(default=UnknownPath)
    websocket: type[asyncio.Protocol] | None = None
    on_refused: Callable[[Database, Operation, Request], Awaitable[None]] | None = None


class Runtime:
    """What a running process of a service holds; open while ``opened`` is entered."""

    def __init__(
        self, service: Service, settings: ServiceSettings, draining: Draining | None = None
    ) -> None:
        self.service = service
        self.settings = settings
        self.database: Database
        self.transport: Transport
        self.resources: Resources = {}
        self.draining = draining or Draining()

    @asynccontextmanager
    async def opened(self, *, background: bool, labour: bool = False) -> AsyncIterator[None]:
        """Open database, bus and resources; with ``background`` also relay, consumers, sweeps."""
        settings, service = self.settings, self.service
        if settings.broker_url is None:
            raise Unavailable("GUILDHALL_BROKER_URL is missing")
        async with AsyncExitStack() as stack:
            self.database = await Database.connect(
                settings.database_url.get_secret_value(),
                size=settings.database_pool_size,
                statement_cache=settings.database_statement_cache,
            )
            stack.push_async_callback(self.database.close)
            self.transport = await connect(settings.broker_url.get_secret_value())
            stack.push_async_callback(self.transport.close)
            opened = service.open_resources(settings, self.database, self.transport)
            self.resources = {
                Draining: self.draining,
                **await stack.enter_async_context(opened),
            }
            if background:
                await self._open_background(stack)
            if labour:
                await stack.enter_async_context(service.labour(self.resources, self.database))
            yield

    async def _open_background(self, stack: AsyncExitStack) -> None:
        name, database = self.service.name, self.database
        await stack.enter_async_context(Relay(database, name, self.transport))
        subscriptions = self.service.subscriptions(self.resources)
        await stack.enter_async_context(Worker(database, name, self.transport, subscriptions))
        await stack.enter_async_context(self.service.background(self.resources, database))
        sweeper = asyncio.create_task(self._sweep(), name="sweep")
        stack.push_async_callback(_cancel, sweeper)

    async def _sweep(self) -> None:
        async def keys(database: Database) -> None:
            await idempotency.sweep(database, self.service.name)

        sweeps = (keys, *self.service.sweeps(self.resources))
        while True:
            for one in sweeps:
                try:
                    await one(self.database)
                except Unavailable:
                    log.info("sweep postponed", reason="database unavailable")
                except Exception:
                    # One that fails must end neither the others nor this task.
                    log.exception("sweep failed", sweep=one.__module__)
            await asyncio.sleep(SWEEP_INTERVAL)

    async def checks(self) -> dict[str, bool]:
        """Try the database, the bus and what else the service needs, each within 3 s."""
        database, bus, more = await asyncio.gather(
            _answers(self.database.ping()), _answers(self.transport.ping()), self._probes()
        )
        return {"database": database, "bus": bus, **more}

    async def _probes(self) -> Mapping[str, bool]:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                return await self.service.probes(self.resources)
        except (ServiceError, TimeoutError, OSError):
            return {"resources": False}


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _answers(probe: Any) -> bool:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            await probe
    except (ServiceError, TimeoutError, OSError):
        return False
    return True


def create_app(
    service: Service, settings: ServiceSettings, draining: Draining | None = None
) -> ASGIApp:
    """Make the ASGI app of a service; its lifespan opens and closes the runtime.

    Args:
        service: what it serves.
        settings: of this process.
        draining: what ``serve_app`` tells when the process is to stop.
    """
    runtime = Runtime(service, settings, draining)

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
        async with runtime.opened(background=settings.serve_background):
            yield {"resources": runtime.resources}

    async def unknown_path(scope: Any, receive: Any, send: Any) -> None:
        raise service.unknown_path()

    router = Router(
        [*_own_routes(service, runtime), *_operation_routes(service, runtime)],
        redirect_slashes=False,
        default=unknown_path,
        lifespan=lifespan,
    )
    guard = AssertionGuard(
        router, service.name, settings.key_for_assertions(), settings.key_for_siblings()
    )
    return RequestContext(ErrorBoundary(guard))


def _operation_routes(service: Service, runtime: Runtime) -> list[BaseRoute]:
    async def handle(operation: Operation, request: Request) -> Response:
        try:
            return await answer(operation, request)
        except Forbidden as error:
            _mark(operation, error)
            if service.on_refused is not None and not request.scope["principal"].is_anonymous:
                await service.on_refused(runtime.database, operation, request)
            raise
        except ServiceError as error:
            _mark(operation, error)
            raise

    async def answer(operation: Operation, request: Request) -> Response:
        authorize(operation, request.scope["principal"])
        call, raw = await decode(operation, request, runtime.database, runtime.resources)
        key = request.headers.get(idempotency.HEADER)
        if operation.idempotent and key is not None:
            return await _once(runtime, operation, call, idempotency.sent(raw, call.path), key)
        response = encode(operation, await operation.endpoint(call))
        if operation.personal:
            response.headers.update(PERSONAL)
        return response

    return routes(service.operations, handle)


def _mark(operation: Operation, error: ServiceError) -> None:
    if operation.names_errors:
        error.extra.setdefault("error", error.code)
    if operation.personal:
        error.headers.update(PERSONAL)


async def _once(
    runtime: Runtime, operation: Operation, call: Any, raw: bytes, key: str
) -> Response:
    """Run an operation under an ``Idempotency-Key``, or give its first answer again."""
    name, schema = f"{operation.method} {operation.path}", runtime.service.name
    secret = derive(runtime.settings.key_for_assertions(), "idempotency")
    claim = await idempotency.claim(call.database, schema, call.principal, name, key, raw, secret)
    if isinstance(claim, idempotency.StoredAnswer):
        replay = {idempotency.REPLAY_HEADER: "true", "x-content-type-options": "nosniff"}
        return Response(claim.body, claim.status, replay, claim.media_type)
    try:
        response = encode(operation, await operation.endpoint(call))
    except BaseException:
        await asyncio.shield(idempotency.release(call.database, claim))
        raise
    answer = idempotency.StoredAnswer(
        response.status_code, bytes(response.body), response.media_type or "application/json"
    )
    await idempotency.store(call.database, claim, answer)
    return response


def _own_routes(service: Service, runtime: Runtime) -> list[BaseRoute]:
    """Make liveness, readiness, metrics and the document that the gateway collects."""

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        checks = await runtime.checks()
        ok = all(checks.values())
        body = {"status": "ready" if ok else "unavailable", "checks": checks}
        return JSONResponse(body, 200 if ok else 503)

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def document(request: Request) -> Response:
        return JSONResponse(openapi.document(service.name, VERSION, service.operations))

    return [
        Route("/health", live),
        Route("/health/ready", ready),
        Route("/metrics", metrics),
        Route("/internal/openapi.json", document),
    ]


def main(service: Service, arguments: Sequence[str] | None = None) -> None:
    """Run ``python -m services.<name> serve|work|migrate``; exits with 64 on any other word."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    commands = {"serve": _serve, "work": _work, "migrate": _migrate}
    if len(words) != 1 or words[0] not in commands:
        sys.stderr.write(f"usage: python -m services.{service.name} serve|work|migrate\n")
        raise SystemExit(64)
    settings = read_or_exit(service.settings)
    configure(service.name, settings.log_level, settings.log_format)
    commands[words[0]](service, settings)


def _serve(service: Service, settings: ServiceSettings) -> None:
    draining = Draining()
    app = create_app(service, settings, draining)
    serve_app(app, settings.host, settings.port, draining, ws=service.websocket or "none")


def _work(service: Service, settings: ServiceSettings) -> None:
    uvloop.run(_work_until_stopped(Runtime(service, settings)))


async def _work_until_stopped(runtime: Runtime) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with runtime.opened(background=True, labour=True):
        log.info("working")
        await stop.wait()


def _migrate(service: Service, settings: ServiceSettings) -> None:
    url = settings.database_url.get_secret_value()
    asyncio.run(migrate(url, service.name, service.migrations))
