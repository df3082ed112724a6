"""Drawing a page: the visitor's session, the generation of the markup, and the template."""

from __future__ import annotations

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tests.support.shop.state import PRODUCTS, Session, Shop

COOKIE = "shop_session"
_PAGES = Path(__file__).parent / "pages"


def shop_of(request: Request) -> Shop:
    """Give the shop that is asked."""
    return cast(Shop, request.app.state.shop)


def session_of(request: Request) -> Session:
    """Give the visitor's session; it is remembered by ``draw`` and ``redirect``."""
    if not hasattr(request.state, "session"):
        cookie, session = shop_of(request).session(request.cookies.get(COOKIE))
        request.state.cookie, request.state.session = cookie, session
    return cast(Session, request.state.session)


def generation(request: Request) -> int:
    """Tell which markup is wanted: by ``?gen=``, else by cookie, else the shop's."""
    said = request.query_params.get("gen") or request.cookies.get("gen")
    return int(said) if said in ("1", "2") else shop_of(request).generation


def draw(request: Request, page: str, status: int = 200, **values: Any) -> Response:
    """Draw ``pages/<page>.html``."""
    shop, session = shop_of(request), session_of(request)
    account = shop.accounts.get(session.email or "")
    flash, session.flash = session.flash, ""
    html = (
        _environment()
        .get_template(f"{page}.html")
        .render(
            request=request,
            path=request.url.path,
            gen=generation(request),
            account=account,
            session=session,
            shop=shop,
            products=PRODUCTS,
            flash=flash,
            **values,
        )
    )
    return _remembered(request, HTMLResponse(html, status, {"cache-control": "no-store"}))


def redirect(request: Request, where: str, flash: str = "") -> Response:
    """Send the visitor on, with something to be said there."""
    session_of(request).flash = flash
    return _remembered(request, RedirectResponse(where, 303))


def _remembered(request: Request, response: Response) -> Response:
    response.set_cookie(COOKIE, request.state.cookie, httponly=True, samesite="lax")
    if request.query_params.get("gen") in ("1", "2"):
        response.set_cookie("gen", request.query_params["gen"])
    return response


async def form_of(request: Request) -> dict[str, str]:
    """Read a form, and note it; of a file its name, type and size."""
    body = await request.body()
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        fields = _parts(kind, body)
    else:
        fields = {}
        for name, value in parse_qsl(body.decode(), keep_blank_values=True):
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
    shop_of(request).received.append((request.url.path, fields))
    return fields


def _parts(kind: str, body: bytes) -> dict[str, str]:
    parser = BytesParser(EmailMessage, policy=HTTP)
    message = parser.parsebytes(f"content-type: {kind}\r\n\r\n".encode() + body)
    fields: dict[str, str] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if (file := part.get_filename()) is None:
            fields[name] = content.decode()
        else:
            fields[name] = f"{file} ({part.get_content_type()}, {len(content)} bytes)"
    return fields


def money(cents: int) -> str:
    """Write an amount."""
    return f"${cents / 100:.2f}"


@cache
def _environment() -> Environment:
    environment = Environment(loader=FileSystemLoader(_PAGES), autoescape=True)
    environment.filters["money"] = money
    return environment
