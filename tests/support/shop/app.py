"""The shop's table of contents."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.shop import accounts, buying, contacting, widgets
from tests.support.shop.faults import Faulty
from tests.support.shop.state import Shop


class _Noting:
    """Notes the headers of each request, so that tests can ask what came."""

    def __init__(self, app: ASGIApp, shop: Shop) -> None:
        self._app = app
        self._shop = shop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
            self._shop.headers.append((scope["path"], headers))
        await self._app(scope, receive, send)


def create_app(shop: Shop) -> ASGIApp:
    """Put the shop together."""
    rows = (accounts.ROUTES, buying.ROUTES, contacting.ROUTES, widgets.ROUTES)
    app = Starlette(routes=[route for each in rows for route in each])
    app.state.shop = shop
    return _Noting(Faulty(app, shop), shop)
