"""Pages that hold one sort of thing each: fields, dialogs, frames, shadows, trouble."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.support.shop.drawing import draw, form_of

_PLAIN = (
    "about",
    "dialogs",
    "toasts",
    "tabs",
    "frames",
    "inner",
    "shadow",
    "popups",
    "popup",
    "downloads",
    "trouble",
    "overlay",
    "twins",
    "hidden",
    "regions",
    "pointer",
    "long",
    "late",
    "receipt",
)
"""Each is ``/<name>``, drawn from ``pages/<name>.html``."""


def _drawn(page: str) -> Route:
    async def show(request: Request) -> Response:
        return draw(request, page)

    return Route(f"/{page}", show)


async def _fields(request: Request) -> Response:
    if request.method == "POST":
        return draw(request, "received", fields=await form_of(request))
    return draw(request, "fields")


async def _upload(request: Request) -> Response:
    if request.method == "POST":
        return draw(request, "received", fields=await form_of(request))
    return draw(request, "upload")


async def _inner(request: Request) -> Response:
    return draw(request, "received", fields=await form_of(request))


async def _file(_: Request) -> Response:
    return PlainTextResponse(
        "item,price\nteapot,24.50\n",
        headers={"content-disposition": 'attachment; filename="prices.csv"'},
    )


async def _slow(request: Request) -> Response:
    await asyncio.sleep(min(20_000, int(request.query_params.get("ms", "1000"))) / 1000)
    if request.query_params.get("as") == "page":
        return draw(request, "slow")
    return JSONResponse({"slow": True})


async def _fail(request: Request) -> Response:
    return JSONResponse({"error": "database gone"}, 500, {"x-request-id": "req-shop-500"})


async def _ok(request: Request) -> Response:
    return JSONResponse({"ok": True, "method": request.method})


async def _bounce(request: Request) -> Response:
    return Response(status_code=302, headers={"location": request.query_params["to"]})


ROUTES = [
    *(_drawn(page) for page in _PLAIN),
    Route("/inner", _inner, methods=["POST"]),
    Route("/fields", _fields, methods=["GET", "POST"]),
    Route("/upload", _upload, methods=["GET", "POST"]),
    Route("/files/prices.csv", _file),
    Route("/slow", _slow),
    Route("/api/slow", _slow),
    Route("/api/fail", _fail, methods=["GET", "POST"]),
    Route("/api/ok", _ok, methods=["GET", "POST"]),
    Route("/bounce", _bounce),
]
