"""What all pages share: who is signed in, where forms come from, and how errors look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

from pydantic import BaseModel

from services.auth.pages.models import Nothing
from services.auth.pages.rules.rendering import HEADERS, rendered
from services.auth.pages.rules.words import sentence
from services.auth.settings import AuthSettings
from services.auth.web_sessions.models import NewCookie, WebSession
from services.auth.web_sessions.operations import (
    find,
    renewed,
    set_cookie,
)
from shared.api import Call, Operation, Reply
from shared.errors import ServiceError
from shared.origins import check_origin

AnyCall: TypeAlias = Call[Any, Any]
Page: TypeAlias = Callable[[AnyCall], Awaitable[Reply]]
SignedInPage: TypeAlias = Callable[[AnyCall, WebSession], Awaitable[Reply]]

SEE_OTHER: Final = 303
MOST_BYTES: Final = 64_000
"""Of a form."""

LOG_IN: Final = "/users/log-in"


def page(
    template: str,
    *,
    status: int = 200,
    error: ServiceError | None = None,
    **values: Any,
) -> Reply:
    """Draw a page, with the status and the sentence of an error if there is one."""
    headers = dict(HEADERS)
    if error is not None:
        status = error.status
        headers |= error.headers
    text = sentence(error) if error is not None else ""
    body = rendered(template, error=text, **values)
    return Reply(body, status, headers, "text/html; charset=utf-8")


def message(title: str, text: str, link: str = "", label: str = "", status: int = 200) -> Reply:
    """Draw a page that says one thing."""
    return page("message", status=status, title=title, text=text, link=link, label=label)


def see(location: str, cookie: str = "") -> Reply:
    """Send a browser on to a path of ours."""
    headers = {**HEADERS, "location": location}
    if cookie:
        headers["set-cookie"] = cookie
    return Reply(None, SEE_OTHER, headers)


def signed_in_cookie(call: AnyCall, cookie: NewCookie) -> str:
    """Write the header that signs the browser in."""
    return set_cookie(cookie, public_url(call))


def public_url(call: AnyCall) -> str:
    """Give the address of the installation."""
    return call.resource(AuthSettings).public_url


async def visitor(call: AnyCall) -> WebSession | None:
    """Find who is signed in."""
    return await find(call.database, call.headers, public_url(call))


def signed_in(endpoint: SignedInPage, back: Callable[[AnyCall], dict[str, str]]) -> Page:
    """Let only people in who are signed in; others sign in first.

    A cookie that is a week old is replaced on the way.

    Args:
        endpoint: draws the page for somebody.
        back: gives the fields that lead back here after signing in; a form leads to its page.
    """

    async def guarded(call: AnyCall) -> Reply:
        session = await visitor(call)
        if session is None:
            return see(f"{LOG_IN}?{urlencode(back(call), safe='/')}")
        reply = await endpoint(call, session)
        if "set-cookie" in reply.headers:
            return reply
        cookie = await renewed(call.database, session, call.headers, public_url(call))
        if cookie is None:
            return reply
        return replace(
            reply, headers={**reply.headers, "set-cookie": signed_in_cookie(call, cookie)}
        )

    return guarded


def back_to(path: str) -> Callable[[AnyCall], dict[str, str]]:
    """Lead back to a fixed path."""
    return lambda call: {"redirect_to": path}


def shown(
    path: str, endpoint: Page, summary: str, query: type[BaseModel] | None = None
) -> Operation:
    """Make the row of a page that is looked at."""
    return Operation(
        method="GET",
        path=path,
        endpoint=_speaking(endpoint),
        summary=summary,
        query=query,
        answer=None,
        public=True,
        page=True,
    )


def submitted(
    path: str,
    endpoint: Page,
    summary: str,
    body: type[BaseModel] = Nothing,
    method: str = "POST",
) -> Operation:
    """Make the row of a form, which must come from a page of ours."""

    async def checked(call: AnyCall) -> Reply:
        check_origin(call.headers, public_url(call))
        return await endpoint(call)

    return Operation(
        method=method,
        path=path,
        endpoint=_speaking(checked),
        summary=summary,
        body=body,
        body_limit=MOST_BYTES,
        answer=None,
        public=True,
        page=True,
    )


_TITLES: Final = {
    400: "That did not work",
    403: "This is not allowed",
    404: "There is nothing here",
    409: "That did not work",
    429: "Not so fast",
    503: "Try again in a moment",
}
_FOREIGN_FORM: Final = (
    "This form did not come from a page of this site, so nothing was done. Open the page again "
    "and repeat it there."
)


def _speaking(endpoint: Page) -> Page:
    """Say every refusal as a page."""

    async def spoken(call: AnyCall) -> Reply:
        try:
            return await endpoint(call)
        except ServiceError as error:
            foreign = error.code in ("missing_origin", "origin_mismatch")
            text = _FOREIGN_FORM if foreign else sentence(error)
            title = _TITLES.get(error.status, "That did not work")
            reply = message(title, text, "/dashboard", "Home", error.status)
            return replace(reply, headers={**error.headers, **reply.headers})

    return spoken
