"""The documentation pages: Swagger UI with its assets from here, and the OpenAPI document.

The document is laid together from those of the services. A service that is away at first is asked
again when somebody wants to read; what was read once stays while the service is away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from pydantic_core import from_json, to_json
from starlette.responses import HTMLResponse, Response

from gateway.credentials.auth_client import GATEWAY
from gateway.upstream.fetch import fetch
from gateway.upstream.upstream import Upstream
from shared import VERSION, openapi
from shared.errors import ServiceError
from shared.log import get_logger
from shared.principal import ASSERTION_HEADER, sign_assertion

PAGES: Final = frozenset({"/docs", "/api-docs", "/swagger-ui", "/swagger-ui/index.html"})
DOCUMENTS: Final = {"/openapi.json": "Guildhall", "/api-docs/openapi.json": "Raworc REST API"}
"""Their titles. Both hold everything; clients of the agents surface look for theirs at the second
and know it by its title (agents contract, section 1)."""
ASSETS_PREFIX: Final = "/swagger-ui/assets/"

_MEDIA_TYPES: Final = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "index.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_INITIALIZER: Final = "initializer.js"

ASSETS: Final = frozenset(ASSETS_PREFIX + name for name in (*_MEDIA_TYPES, _INITIALIZER))
PATHS: Final = PAGES | DOCUMENTS.keys() | ASSETS

FETCH_TIMEOUT: Final = 3.0
REFRESH: Final = 60.0
"""Seconds after which a service's document is read again, in case it was deployed anew."""
RETRY: Final = 2.0
"""Seconds after which a service that was away is asked again."""

# Swagger UI sets style attributes; nothing else needs more than this host.
_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE: Final = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Guildhall: API</title>
<link rel="icon" type="image/png" href="{ASSETS_PREFIX}favicon-32x32.png">
<link rel="stylesheet" href="{ASSETS_PREFIX}swagger-ui.css">
<link rel="stylesheet" href="{ASSETS_PREFIX}index.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{ASSETS_PREFIX}swagger-ui-bundle.js"></script>
<script src="{ASSETS_PREFIX}{_INITIALIZER}"></script>
</body>
</html>
"""
_START: Final = """window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "none",
  persistAuthorization: false,
  validatorUrl: null
});
"""
_DESCRIPTION: Final = (
    "One backend for teams that build software with AI coding agents: the learnings (`/v1`), runs "
    "(`/api/v1`), teams (`/api`) and agents (`/api/v0`) surfaces."
)

log = get_logger()


class Documents:
    """The services' OpenAPI documents, laid into one.

    Args:
        upstreams: by service.
        keys: assertion keys by service.
        clock: seconds, only going forward.
    """

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        keys: Mapping[str, bytes],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstreams = dict(upstreams)
        self._keys = dict(keys)
        self._clock = clock
        self._parts: dict[str, dict[str, Any]] = {}
        self._ask_again: dict[str, float] = {}
        self._merged: dict[str, bytes] = {}
        self._lock = asyncio.Lock()

    async def document(self, title: str) -> bytes:
        """Give the whole document as JSON; services that are away are left out."""
        async with self._lock:
            now = self._clock()
            due = [name for name in self._upstreams if now >= self._ask_again.get(name, 0.0)]
            answers = await asyncio.gather(*(self._fetch(name) for name in due))
            for name, part in zip(due, answers, strict=True):
                self._ask_again[name] = now + (REFRESH if part is not None else RETRY)
                if part is not None and part != self._parts.get(name):
                    self._parts[name] = part
                    self._merged.clear()
            if title not in self._merged:
                parts = [self._parts[name] for name in self._upstreams if name in self._parts]
                merged = openapi.merge(title, VERSION, parts)
                merged["info"]["description"] = _DESCRIPTION
                self._merged[title] = to_json(merged)
            return self._merged[title]

    async def _fetch(self, name: str) -> dict[str, Any] | None:
        assertion = sign_assertion(self._keys[name], name, GATEWAY, time.time())
        headers = [(ASSERTION_HEADER.encode(), assertion.encode())]
        try:
            answer = await fetch(
                self._upstreams[name],
                "GET",
                "/internal/openapi.json",
                headers,
                timeout=FETCH_TIMEOUT,
            )
            if answer.status != 200:
                return None
            part = from_json(answer.body)
            if isinstance(part["paths"], dict) and isinstance(part["components"]["schemas"], dict):
                return dict(part)
        except ServiceError:
            return None
        except (ValueError, KeyError, TypeError):
            log.error("document not understood", service=name)
        return None


async def answer(path: str, documents: Documents) -> Response:
    """Answer one of ``PATHS``."""
    if path in PAGES:
        headers = {"content-security-policy": _CSP, "referrer-policy": "no-referrer"}
        return HTMLResponse(_PAGE, headers=headers)
    if path in DOCUMENTS:
        document = await documents.document(DOCUMENTS[path])
        return Response(document, media_type="application/json")
    name = path.removeprefix(ASSETS_PREFIX)
    headers = {"cache-control": "public, max-age=86400"}
    if name == _INITIALIZER:
        return Response(_START, media_type="text/javascript", headers=headers)
    content = await asyncio.to_thread(_asset, name)
    return Response(content, media_type=_MEDIA_TYPES[name], headers=headers)


@lru_cache(maxsize=1)
def _folder() -> Path:
    # Found, not imported: importing the package would load the frameworks it has adapters for.
    spec = find_spec("swagger_ui")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "static"


def _asset(name: str) -> bytes:
    return (_folder() / name).read_bytes()
