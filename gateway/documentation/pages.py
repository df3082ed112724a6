"""What the gateway answers itself: its front page, its health, and what there is to read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from starlette.responses import JSONResponse, Response

from gateway.credentials.signing_keys import SigningKeys
from gateway.documentation import swagger, texts
from gateway.documentation.swagger import Documents
from gateway.pipeline.chain import HEALTH_CLASS, PAGES_CLASS
from gateway.pipeline.decisions import Request
from gateway.upstream.fetch import fetch
from gateway.upstream.upstream import Upstream
from shared import VERSION
from shared.errors import MethodNotAllowed, ServiceError

PROBE_TIMEOUT: Final = 3.0
PROBE_REUSE: Final = 0.5
"""Seconds that a look at the services is used again, so that probes cannot pile up."""

NEEDED: Final = "auth"
"""The service without which the gateway can do nothing."""

_CLASSES: Final = {
    texts.FRONT: PAGES_CLASS,
    "/health": HEALTH_CLASS,
    "/health/ready": HEALTH_CLASS,
    **dict.fromkeys(swagger.PATHS | texts.PATHS, PAGES_CLASS),
}
_FRONT: Final = {
    "name": "Guildhall",
    "version": VERSION,
    "surfaces": {
        "learnings": "/v1",
        "runs": "/api/v1",
        "teams": "/api",
        "agents": "/api/v0",
    },
    "documentation": {"pages": "/docs", "openapi": "/openapi.json", "guide": "/guide"},
}


def rate_class(path: str) -> str | None:
    """Name the rate class of one of the gateway's own pages; None for any other path."""
    return _CLASSES.get(path)


class OwnPages:
    """Answers the gateway's own pages.

    Args:
        upstreams: by service.
        keys: the public keys, without which no token can be judged.
        documents: the OpenAPI document.
        clock: seconds, only going forward.
    """

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        keys: SigningKeys,
        documents: Documents,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstreams = dict(upstreams)
        self._keys = keys
        self._documents = documents
        self._clock = clock
        self.is_draining = False
        self._seen: set[str] = {NEEDED}
        self._checks: dict[str, bool] = {}
        self._checked = -PROBE_REUSE
        self._lock = asyncio.Lock()

    async def answer(self, request: Request) -> Response:
        """Answer a request for a page that ``rate_class`` knows.

        Raises:
            MethodNotAllowed: the pages are only there to be read.
        """
        path = request.destination.path
        if request.destination.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("GET, HEAD")
        if path == texts.FRONT:
            return _front(request)
        if path == "/health":
            return JSONResponse({"status": "ok"})
        if path == "/health/ready":
            return await self._ready()
        if path in texts.PATHS:
            return texts.answer(path)
        return await swagger.answer(path, self._documents)

    async def _ready(self) -> Response:
        """Tell whether the gateway can work.

        It cannot without auth and its keys, nor, as far as it knows, without a service that was
        there before. A service never seen is taken for not deployed: it is listed as missing, and
        its surface answers 503, but it does not take the other surfaces down.
        """
        if self.is_draining:
            return JSONResponse({"status": "draining", "checks": {}, "missing": []}, 503)
        async with self._lock:
            if self._clock() - self._checked >= PROBE_REUSE:
                names = tuple(self._upstreams)
                results = await asyncio.gather(*(self._probe(name) for name in names))
                self._checks = dict(zip(names, results, strict=True))
                self._checks["signing_keys"] = self._keys.is_loaded
                self._seen |= {name for name, ok in self._checks.items() if ok}
                self._checked = self._clock()
        missing = [name for name, ok in self._checks.items() if not ok]
        ok = self._keys.is_loaded and self._seen.isdisjoint(missing)
        body = {
            "status": "ready" if ok else "unavailable",
            "checks": self._checks,
            "missing": missing,
        }
        return JSONResponse(body, 200 if ok else 503)

    async def _probe(self, name: str) -> bool:
        try:
            answer = await fetch(
                self._upstreams[name], "GET", "/health/ready", timeout=PROBE_TIMEOUT
            )
        except ServiceError:
            return False
        return answer.status == 200


def _front(request: Request) -> Response:
    accepts = (value for name, value in request.fields.headers if name == b"accept")
    if not texts.prefers_html(b",".join(accepts)):
        return JSONResponse(_FRONT, headers={"vary": "accept"})
    page = texts.answer(texts.FRONT)
    page.headers["vary"] = "accept"
    return page
