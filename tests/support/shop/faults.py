"""What can be wrong with the shop, each by a switch: ``shop.faults`` names those that are on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.support.shop.state import Shop

Fields = Mapping[str, str]

BROKEN: Final[Mapping[str, tuple[str, str]]] = {
    "page fails": ("GET", "/about"),
    "search fails": ("GET", "/search"),
    "dashboard fails": ("GET", "/dashboard"),
    "message fails": ("POST", "/contact"),
    "sign-up fails": ("POST", "/signup"),
    "cart fails": ("POST", "/cart"),
    "api fails": ("GET", "/api/ok"),
}
"""Requests that are answered 500."""

ACCEPTED: Final[Mapping[str, tuple[str, Callable[[Fields], bool]]]] = {
    "sign-up without e-mail": ("/signup", lambda given: not given.get("email")),
    "sign-up without password": ("/signup", lambda given: not given.get("password")),
    "sign-up with a bad e-mail": ("/signup", lambda given: "@" not in given.get("email", "")),
    "short password": ("/signup", lambda given: len(given.get("password", "")) in range(1, 8)),
    "passwords differ": ("/signup", lambda given: given.get("password") != given.get("confirm")),
    "wrong log-in": ("/login", lambda given: True),
}
"""Forms that are taken although they must not be."""

CHANGED: Final[Mapping[str, tuple[str, str, str]]] = {
    "heading missing": ("/products", "<h1>Products</h1>", ""),
    "title wrong": ("/cart", "<title>Cart", "<title>Untitled"),
    "link broken": ("/", 'href="/orders"', 'href="/order"'),
    "link leads elsewhere": ("/", 'href="/products">Products', 'href="/about">Products'),
    "sign-up with a bad e-mail": ("/signup", 'type="email"', 'type="text"'),
    "required forgotten": ("/contact", 'type="email" required', 'type="email"'),
    "least length forgotten": ("/contact", ' minlength="10"', ""),
    "most length forgotten": ("/contact", ' maxlength="40"', ""),
    "most number forgotten": ("/contact", ' max="12"', ""),
    "pattern forgotten": ("/contact", ' pattern="[A-Z]{3}-[0-9]{4}"', ""),
    "e-mail unchecked": ("/contact", 'type="email" required', 'type="text" required'),
    "button does nothing": ("/contact", "<button>Send", '<button type="button">Send'),
    "button missing": ("/contact", "<button>Send message</button>", ""),
    "field missing": ("/signup", 'id="confirm" name="confirm" type="password"', 'type="hidden"'),
    "form missing": ("/login", 'action="/login" class="stack"', 'action="/login" hidden'),
}
"""Path, what stands there, what stands there instead."""

WHERE: Final[Mapping[str, str]] = {
    **{fault: path for fault, (_, path) in BROKEN.items()},
    **{fault: path for fault, (path, _) in ACCEPTED.items()},
    **{fault: path for fault, (path, _, _) in CHANGED.items()},
    "right log-in refused": "/login",
}
"""The path that each fault is at."""

FAULTS: Final = tuple(WHERE)


LOGGED: Final = """2026-03-02T10:00:00Z ERROR {path} failed trace_id={trace}
Traceback (most recent call last):
  File "/usr/lib/python3/site-packages/starlette/routing.py", line 74, in app
    response = await endpoint(request)
  File "/srv/shop/contacting.py", line 31, in send
    raise LookupError("no such mailbox")
LookupError: no such mailbox
"""
"""What the shop logs when it fails."""


class Faulty:
    """The shop with its switches."""

    def __init__(self, app: ASGIApp, shop: Shop) -> None:
        self._app = app
        self._shop = shop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._shop.faults:
            await self._app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        answer = self._answer(scope["method"], scope["path"], body)
        if answer is not None and answer.status_code == 500:
            trace = Request(scope).headers.get("traceparent", "--").split("-")[1]
            self._shop.log.append(LOGGED.format(path=scope["path"], trace=trace))
        if answer is not None:
            await answer(scope, _again(body), send)
            return
        await self._app(scope, _again(body), _Changing(send, self._changes(scope["path"])))

    def _answer(self, method: str, path: str, body: bytes) -> Response | None:
        if any(BROKEN.get(one) == (method, path) for one in self._shop.faults):
            return Response("Internal Server Error", 500)
        if method != "POST":
            return None
        given = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
        for one in self._shop.faults:
            where, is_wrong = ACCEPTED.get(one, ("", lambda _: False))
            if where == path and is_wrong(given):
                return RedirectResponse("/products", 303)
            if one == "right log-in refused" and path == "/login":
                return RedirectResponse("/login", 303)
        return None

    def _changes(self, path: str) -> list[tuple[bytes, bytes]]:
        found = (CHANGED[one] for one in self._shop.faults if one in CHANGED)
        return [(old.encode(), new.encode()) for where, old, new in found if where == path]


def _again(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


class _Changing:
    """Sends a page on with other words in it."""

    def __init__(self, send: Send, changes: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._changes = changes
        self._start: Message = {}

    async def __call__(self, message: Message) -> None:
        if not self._changes:
            await self._send(message)
        elif message["type"] == "http.response.start":
            self._start = message
        else:
            body = message["body"]
            for old, new in self._changes:
                body = body.replace(old, new)
            kept = [one for one in self._start["headers"] if one[0] != b"content-length"]
            length = (b"content-length", str(len(body)).encode())
            await self._send({**self._start, "headers": [*kept, length]})
            await self._send({**message, "body": body})
