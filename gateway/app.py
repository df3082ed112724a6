"""The gateway's composition root: what the process is made of, and its lifetime."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.routing import Router
from starlette.types import Message, Receive, Scope, Send

from gateway.authn import ApiKeyAuthenticator, Bearer, JwtAuthenticator
from gateway.credentials.auth_client import AuthClient
from gateway.credentials.eviction import subscriptions
from gateway.credentials.memory import Credentials
from gateway.credentials.signing_keys import SigningKeys
from gateway.documentation.pages import OwnPages, rate_class
from gateway.documentation.swagger import Documents
from gateway.pipeline.chain import Pipeline
from gateway.pipeline.client_address import ClientAddresses
from gateway.pipeline.decisions import (
    Decision,
    Forward,
    Own,
    Pending,
    PendingBody,
    Refusal,
    Request,
)
from gateway.pipeline.metrics import Metrics, served
from gateway.pipeline.request_head import Head
from gateway.proxy import NOSNIFF, AnswerBroken, ClientGone, Proxy
from gateway.rate_limit import RateLimiter
from gateway.route_table import ROUTES
from gateway.settings import GatewaySettings
from gateway.upstream.pool import Limits, Pool
from shared.bus import Listener, connect
from shared.errors import Internal, ServiceError
from shared.log import get_logger

log = get_logger()


class Gateway:
    """The ASGI app.

    Args:
        settings: of the process.
        limits: of the pools; from the settings if absent.
    """

    def __init__(self, settings: GatewaySettings, limits: Limits | None = None) -> None:
        self._settings = settings
        limits = limits or Limits(
            connections=settings.upstream_connections,
            head=settings.upstream_timeout,
            idle=settings.upstream_idle_timeout,
        )
        keys = settings.assertion_keys()
        urls = settings.upstream_urls()
        self.pools = {name: Pool(url, limits) for name, url in urls.items()}
        self.credentials = Credentials()
        auth = AuthClient(self.pools["auth"], keys["auth"])
        self.signing_keys = SigningKeys(auth.verify_keys, self.credentials.clear)
        limiter = RateLimiter(settings.rates())
        authenticators = (
            JwtAuthenticator(auth, self.signing_keys, settings.public_url),
            ApiKeyAuthenticator(auth),
        )
        self.pipeline = Pipeline(
            routes=ROUTES,
            own_pages=rate_class,
            bearer=Bearer(self.credentials, {one.name: one for one in authenticators}),
            limiter=limiter,
            addresses=ClientAddresses(settings.proxies()),
            keys=keys,
            hosts={name: pool.authority for name, pool in self.pools.items()},
            origins=settings.origins(),
        )
        self.proxy = Proxy(self.pools, patience=min(30.0, limits.idle))
        self.pages = OwnPages(self.pools, self.signing_keys, Documents(self.pools, keys))
        self.metrics = Metrics(
            {
                "credentials": lambda: float(len(self.credentials)),
                "rate_buckets": lambda: float(len(limiter)),
            }
        )
        self.listener: Listener | None = None
        self._lifespan = Router(lifespan=self._opened)

    @asynccontextmanager
    async def _opened(self, app: Any) -> AsyncIterator[None]:
        settings = self._settings
        async with AsyncExitStack() as stack:
            for pool in self.pools.values():
                pool.open()
                stack.push_async_callback(pool.close)
            stack.push_async_callback(self.credentials.close)
            await self.signing_keys.start()
            stack.push_async_callback(self.signing_keys.stop)
            if settings.broker_url is None:
                log.warning("no broker", effect="revocations take up to 30 s")
            else:
                transport = await connect(settings.broker_url.get_secret_value())
                stack.push_async_callback(transport.close)
                heard = subscriptions(self.credentials)
                gap = self.credentials.clear
                self.listener = Listener(transport, "gateway", heard, on_gap=gap)
                await stack.enter_async_context(self.listener)
            stack.enter_context(served(self.metrics, settings.host, settings.metrics))
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] != "http":
            await self._lifespan(scope, receive, send)
            return
        step = self.pipeline.decide(head_of(scope))
        status = 0
        try:
            if type(step) is Pending:
                step = await self.pipeline.resume(step)
            elif type(step) is PendingBody:
                step = await self._verify(step, receive)
            assert not isinstance(step, Pending | PendingBody)  # neither gives another one
            status = await self._carry_out(step, receive, send)
        except ClientGone:
            pass
        finally:
            request = step.request
            elapsed = time.monotonic() - request.started
            self.metrics.observe(request.label, status, elapsed)

    async def _verify(self, pending: PendingBody, receive: Receive) -> Decision:
        try:
            body = await self.proxy.read_whole(receive, pending.row.body_limit)
        except ServiceError as error:
            return self.pipeline.refuse_unread(pending, error)
        return self.pipeline.verify(pending, body)

    async def _carry_out(self, step: Decision, receive: Receive, send: Send) -> int:
        if type(step) is Refusal:
            return await _send(step, send)
        try:
            if type(step) is Forward:
                return await self.proxy.forward(step, receive, send)
            assert type(step) is Own  # nothing else is left
            return await self._own(step.request, receive, send)
        except ServiceError as error:
            return await _send(self.pipeline.refuse(step.request, error, error.code), send)
        except (ClientGone, AnswerBroken):
            raise
        except Exception:
            log.exception("request failed", row=step.request.label)
            return await _send(self.pipeline.refuse(step.request, Internal(), "crash"), send)

    async def _own(self, request: Request, receive: Receive, send: Send) -> int:
        response = await self.pages.answer(request.head.method, request.path)
        response.raw_headers.extend((NOSNIFF, *request.headers))

        async def send_head_only(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        is_head = request.head.method == "HEAD"
        await response({"type": "http"}, receive, send_head_only if is_head else send)
        return response.status_code


async def _send(refusal: Refusal, send: Send) -> int:
    start = {
        "type": "http.response.start",
        "status": refusal.status,
        "headers": refusal.headers,
    }
    await send(start)
    body = b"" if refusal.request.head.method == "HEAD" else refusal.body
    await send({"type": "http.response.body", "body": body})
    return refusal.status


def head_of(scope: Scope) -> Head:
    """Read a request's head out of an ASGI scope."""
    query = scope["query_string"]
    target = scope["raw_path"]
    client = scope["client"]
    return Head(
        method=scope["method"],
        path=scope["path"],
        target=target + b"?" + query if query else target,
        query=query,
        headers=scope["headers"],
        peer=client[0] if client else "",
        version=scope["http_version"],
    )


class _Expected(logging.Filter):
    """Keep what is no fault of the server out of its log: answers that broke, odd upgrades."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], AnswerBroken):
            return False
        text = record.getMessage()
        return not text.startswith(("Unsupported upgrade", "No supported WebSocket"))


def quiet_server_log() -> None:
    """Keep uvicorn from logging what the gateway counts and answers itself."""
    logging.getLogger("uvicorn.error").addFilter(_Expected())


def create_app(settings: GatewaySettings) -> Gateway:
    """Make the gateway."""
    quiet_server_log()
    return Gateway(settings)
