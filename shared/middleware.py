"""What wraps every service's routes: context, errors, and the gateway's assertion. Pure ASGI.

RequestContext → ErrorBoundary → AssertionGuard → routes
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

from prometheus_client import Histogram
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from shared.errors import Internal, ServiceError, Unauthenticated, UnknownPath, from_status
from shared.ids import new_id
from shared.log import get_logger
from shared.principal import ASSERTION_HEADER, Kind, Principal, read_assertion
from shared.surfaces import render, surface_of

REQUEST_ID_HEADER: Final = "x-request-id"
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What a request id of a caller may look like; another one is replaced."""

OPEN_PATHS: Final = frozenset({"/health", "/health/ready", "/metrics"})
"""A service's own liveness, readiness and metrics: the only paths that need no assertion."""

KNOWN_ASSERTIONS: Final = 2_000
"""Most verified assertions remembered at once."""

_DURATION: Final = Histogram(
    "guildhall_request_seconds",
    "Time to answer, by route template and status",
    ["route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

log = get_logger()


def header(scope: Scope, name: str) -> str:
    """Read one request header, or an empty string; the name in lower case."""
    wanted = name.encode()
    for key, value in scope["headers"]:
        if key == wanted:
            return bytes(value).decode("latin-1")
    return ""


def raw_target(scope: Scope) -> bytes:
    """Give path and query as they were sent."""
    path, query = bytes(scope["raw_path"]), bytes(scope["query_string"])
    return b"%b?%b" % (path, query) if query else path


def normalized_path(path: str) -> str:
    """Drop a doubled leading and a trailing slash, since clients send both and follow no redirect.

    (Contracts: learnings section 2 "redirects", agents section 2 "paths".)
    """
    if path.startswith("//"):
        path = "/" + path.lstrip("/")
    return path.rstrip("/") if len(path) > 1 and path.endswith("/") else path


class RequestContext:
    """Give the request an id, bind it to the log, echo it, and measure the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request; other scopes pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = header(scope, REQUEST_ID_HEADER)
        if not REQUEST_ID.fullmatch(request_id):
            request_id = new_id("req_")
        scope["request_id"] = request_id
        scope["path"] = normalized_path(scope["path"])
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                route = scope.get("route")
                template = getattr(route, "path", "unknown")
                _DURATION.labels(template, status).observe(time.perf_counter() - started)


class ErrorBoundary:
    """Speak every error in the dialect of the path's surface; log the cause, never send it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request; other scopes pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            return
        except Exception as raised:
            error = as_service_error(raised)
            if isinstance(error, Internal):
                log.error("request failed", route=_template(scope), exc_info=raised)
            elif error.status >= Internal.status:
                # Raised on purpose, and its cause was logged where it was met.
                log.warning("request refused", route=_template(scope), status=error.status)
            if started:
                # Half an answer is out: only breaking the connection tells the client so.
                raise
            await send_error(scope, send, error)


def as_service_error(raised: Exception) -> ServiceError:
    """Map anything raised below to the tree of domain errors; what is unknown is ours."""
    if isinstance(raised, ServiceError):
        return raised
    if isinstance(raised, HTTPException):
        allow = (raised.headers or {}).get("Allow", "")
        return from_status(raised.status_code, allow=allow)
    return Internal()


def _template(scope: Scope) -> str:
    # The path itself may hold a token, so only the template is logged.
    return str(getattr(scope.get("route"), "path", "unknown"))


async def send_error(scope: Scope, send: Send, error: ServiceError) -> None:
    """Send an error in the dialect of the path's surface."""
    rendered = render(surface_of(scope["path"]), error, scope.get("request_id", ""))
    headers = [(name.encode(), value.encode()) for name, value in rendered.headers.items()]
    headers.append((b"content-length", str(len(rendered.body)).encode()))
    await send({"type": "http.response.start", "status": rendered.status, "headers": headers})
    body = b"" if scope["method"] == "HEAD" else rendered.body
    await send({"type": "http.response.body", "body": body})


class AssertionGuard:
    """Refuse every request that does not carry the gateway's assertion for this service.

    Args:
        app: what is guarded.
        service: the audience that an assertion must name.
        key: the 32 bytes shared with the gateway.
        sibling_key: the 32 bytes shared with sibling services, if any may ask; it vouches for a
            service and for nobody else.
        clock: Unix seconds; replaceable in tests.
    """

    def __init__(
        self,
        app: ASGIApp,
        service: str,
        key: bytes,
        sibling_key: bytes | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._service = service
        self._key = key
        self._sibling_key = sibling_key
        self._clock = clock
        self._known: dict[str, tuple[Principal, float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, with ``scope["principal"]`` set."""
        if scope["type"] in ("http", "websocket") and scope["path"] not in OPEN_PATHS:
            assertion = header(scope, ASSERTION_HEADER)
            if not assertion:
                raise Unauthenticated
            scope["principal"] = self._principal(assertion)
        await self._app(scope, receive, send)

    def _principal(self, assertion: str) -> Principal:
        """Verify, once while it holds: the gateway sends the same assertion for some seconds."""
        now = self._clock()
        known = self._known.get(assertion)
        if known is None or known[1] <= now:
            known = self._read(assertion, now)
            if len(self._known) >= KNOWN_ASSERTIONS:
                self._known.clear()
            self._known[assertion] = known
        return known[0]

    def _read(self, assertion: str, now: float) -> tuple[Principal, float]:
        try:
            return read_assertion(self._key, self._service, assertion, now)
        except Unauthenticated:
            if self._sibling_key is None:
                raise
        found = read_assertion(self._sibling_key, self._service, assertion, now)
        if found[0].kind is not Kind.SERVICE:
            raise Unauthenticated
        return found


async def unknown_path(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer for every path that no route has."""
    raise UnknownPath
