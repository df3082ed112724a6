"""A form whose fields have every limit that browsers check."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.shop.drawing import draw, form_of, redirect


async def _contact(request: Request) -> Response:
    if request.method == "POST":
        await form_of(request)
        return redirect(request, "/about", "Thank you for your message.")
    return draw(request, "contact")


ROUTES = [Route("/contact", _contact, methods=["GET", "POST"])]
"""``/contact``."""
