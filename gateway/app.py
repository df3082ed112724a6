"""The gateway's composition root: what the process is made of, and its lifetime."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from gateway.authn import ApiKeyAuthenticator, Bearer, JwtAuthenticator
from gateway.credentials.auth_client import AuthClient
from gateway.credentials.eviction import subscriptions
from gateway.credentials.memory import Credentials
from gateway.credentials.signing_keys import SigningKeys
from gateway.documentation.pages import OwnPages, rate_class
from gateway.documentation.swagger import Documents
from gateway.pipeline.chain import Pipeline
from gateway.pipeline.client_address import ClientAddresses
from gateway.pipeline.cors import CorsPolicy
from gateway.pipeline.metrics import Metrics, Watched
from gateway.pipeline.readings import of_credentials, of_tracing, of_upstreams
from gateway.pipeline.security_headers import SecurityHeaders
from gateway.pipeline.tracing import open_tracing
from gateway.pipeline.upstream_head import UpstreamHeads
from gateway.proxy.data_path import TICK, DataPath
from gateway.rate_limit import RateLimiter
from gateway.route_table import ROUTES, TABLE
from gateway.settings import GatewaySettings
from gateway.upstream.health import HealthChecks
from gateway.upstream.limits import Limits
from gateway.upstream.upstream import Upstream
from gateway.websocket.sockets import Sockets
from shared.bus import Listener, connect
from shared.log import get_logger
from shared.secret import derive

log = get_logger()


class Gateway:
    """The ASGI app.

    Args:
        settings: of the process.
        limits: of the services; from the settings if absent.
        settling: seconds to wait for auth's keys before the first request is taken.
    """

    def __init__(
        self, settings: GatewaySettings, limits: Limits | None = None, settling: float = 0.0
    ) -> None:
        self._settings = settings
        self._settling = settling
        limits = limits or settings.upstream_limits()
        keys = settings.assertion_keys()
        urls = settings.upstream_urls()
        self.upstreams = {name: Upstream(name, url.split(), limits) for name, url in urls.items()}
        self._checks = (
            HealthChecks(self.upstreams.values(), limits.checks) if limits.checks else None
        )
        self.credentials = Credentials()
        auth = AuthClient(self.upstreams["auth"], keys["auth"])
        self.signing_keys = SigningKeys(auth.verify_keys, self.credentials.clear)
        self.limiter, watched = _limits(settings, keys)
        authenticators = (
            JwtAuthenticator(auth, self.credentials, self.signing_keys, settings.public_url),
            ApiKeyAuthenticator(auth),
        )
        hosts = {name: upstream.authority for name, upstream in self.upstreams.items()}
        self._tracing = open_tracing()
        security = SecurityHeaders(
            is_https=settings.public_url.startswith("https:"), hsts_max_age=settings.hsts_max_age
        )
        self.pipeline = Pipeline(
            routes=ROUTES,
            own_pages=rate_class,
            bearer=Bearer(self.credentials, {one.name: one for one in authenticators}),
            limiter=self.limiter,
            addresses=ClientAddresses(settings.proxies()),
            heads=UpstreamHeads(keys, hosts),
            cors=CorsPolicy(settings.origins(), TABLE),
            security=security,
            tracing=self._tracing,
        )
        self._pages = OwnPages(self.upstreams, self.signing_keys, Documents(self.upstreams, keys))
        self.sockets = Sockets(settings.socket_limits())
        self.metrics = Metrics(self._watched(watched))
        patience = min(30.0, limits.idle)
        tick = min(TICK, limits.tick)
        self.data_path = DataPath(
            self.pipeline,
            self.upstreams,
            self.sockets,
            self._pages,
            self.metrics,
            security,
            patience,
            limits.stall,
            settings.head_timeout,
            tick,
        )
        self.listener: Listener | None = None
        self._lifespan = Router(lifespan=self._opened)

    def _watched(self, limits: list[Watched]) -> list[Watched]:
        return [
            *of_credentials(self.credentials),
            *of_upstreams(self.upstreams),
            *of_tracing(self._tracing),
            *limits,
            Watched("open_sockets", "WebSockets open", self.sockets.__len__),
            Watched(
                "waiting_sockets",
                "Handshakes that wait for a service that is away",
                lambda: self.sockets.waiting,
            ),
            Watched(
                "client_connections",
                "Connections of callers that are open",
                lambda: len(self.data_path.connections),
            ),
        ]

    @asynccontextmanager
    async def _opened(self, app: Any) -> AsyncIterator[None]:
        settings = self._settings
        async with AsyncExitStack() as stack:
            if self._tracing is not None:
                await stack.enter_async_context(self._tracing)
            for upstream in self.upstreams.values():
                upstream.open()
                stack.push_async_callback(upstream.close)
            if self._checks is not None:
                await self._checks.start()
                stack.push_async_callback(self._checks.stop)
            stack.push_async_callback(self.credentials.close)
            await self.limiter.open()
            stack.push_async_callback(self.limiter.close)
            self.sockets.open()
            stack.push_async_callback(self.sockets.close)
            self.data_path.open()
            stack.push_async_callback(self.data_path.close)
            await self.signing_keys.start()
            stack.push_async_callback(self.signing_keys.stop)
            if settings.broker_url is None:
                log.warning("no broker", effect="revocations take up to 30 s")
            else:
                transport = await connect(settings.broker_url.get_secret_value())
                stack.push_async_callback(transport.close)
                heard = subscriptions(self.credentials, self.sockets)
                gap = self.credentials.clear
                self.listener = Listener(transport, "gateway", heard, on_gap=gap)
                await stack.enter_async_context(self.listener)
            await self.signing_keys.settle(self._settling)
            yield

    def drain(self) -> None:
        """Take no more than what is under way: readiness says no, streams and sockets end."""
        self._pages.is_draining = True
        self.data_path.drain()
        self.sockets.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the lifespan; requests are served by the connections themselves."""
        assert scope["type"] == "lifespan"  # uvicorn has no other protocol class here
        await self._lifespan(scope, receive, send)


def create_app(settings: GatewaySettings, settling: float = 0.0) -> Gateway:
    """Make the gateway."""
    return Gateway(settings, settling=settling)


def _limits(
    settings: GatewaySettings, keys: Mapping[str, bytes]
) -> tuple[RateLimiter, list[Watched]]:
    """Give the limiter, and what it counts."""
    rates, url = settings.rates(), settings.rate_limit_url
    if url is None:
        limiter = RateLimiter(rates)
        return limiter, _decisions(limiter)
    # The client of the store is large, and most gateways need none.
    from gateway.rate_limit.shared_buckets import SharedRateLimiter
    from gateway.rate_limit.store import Store

    patience = settings.rate_limit_timeout
    store = Store(url.get_secret_value(), patience)
    # From what every gateway before the same services has alike.
    secret = derive(keys["auth"], "rate limit callers")
    shared = SharedRateLimiter(rates, store, secret, patience)
    return shared, [
        *_decisions(shared),
        Watched("rate_leases", "Buckets of the shared store known here", lambda: shared.leases),
        Watched("rate_store_up", "Whether the shared store is there", lambda: float(shared.is_up)),
        Watched(
            "rate_store_calls", "Calls of the shared store", lambda: shared.calls, kind="counter"
        ),
        Watched(
            "rate_store_failures",
            "Calls of the shared store that failed",
            lambda: shared.failures,
            kind="counter",
        ),
        Watched(
            "rate_store_outages",
            "Times that the shared store was found away",
            lambda: shared.outages,
            kind="counter",
        ),
    ]


def _decisions(limiter: RateLimiter) -> list[Watched]:
    return [
        Watched("rate_buckets", "Rate limit buckets remembered", limiter.__len__),
        Watched(
            "rate_limit_decisions",
            "Requests counted, by class and what was decided",
            limiter.counts,
            ("class", "decision"),
            "counter",
        ),
    ]
