"""What all pages share: who is signed in, where forms come from, and how errors look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

from pydantic import BaseModel

from services.teams.pages import operations
from services.teams.pages.models import Nothing, View
from services.teams.pages.rules.rendering import HEADERS, SECRET_HEADERS, rendered
from services.teams.pages.rules.words import sentence
from services.teams.people import operations as people
from services.teams.people.models import Browser
from services.teams.settings import TeamsSettings
from shared.api import Call, Operation, Reply
from shared.errors import NotFound, ServiceError, Unavailable
from shared.origins import check_origin
from shared.siblings import Siblings

AnyCall: TypeAlias = Call[Any, Any]
Page: TypeAlias = Callable[[AnyCall], Awaitable[Reply]]
PersonsPage: TypeAlias = Callable[[AnyCall, Browser], Awaitable[Reply]]
TeamPage: TypeAlias = Callable[[AnyCall, View], Awaitable[Reply]]

SEE_OTHER: Final = 303
MOST_BYTES: Final = 128_000
"""Of a form: a body of 10,000 bytes may need three times as many in one."""

LOG_IN: Final = "/users/log-in"
MINE: Final = "/teams"


def page(
    template: str,
    *,
    status: int = 200,
    error: ServiceError | None = None,
    is_secret: bool = False,
    **values: Any,
) -> Reply:
    """Draw a page, with the status and the sentence of an error if there is one.

    Args:
        template: its name.
        status: of success.
        error: what went wrong.
        is_secret: whether its address is a secret; then it may have no forms.
        values: for the template, which escapes them.
    """
    headers = dict(SECRET_HEADERS if is_secret else HEADERS)
    if error is not None:
        status = error.status
        headers |= error.headers
    text = sentence(error) if error is not None else ""
    body = rendered(template, error=text, **values)
    return Reply(body, status, headers, "text/html; charset=utf-8")


def message(title: str, text: str, link: str = "", label: str = "", status: int = 200) -> Reply:
    """Draw a page that says one thing; its address may be a secret."""
    return page(
        "message", status=status, is_secret=True, title=title, text=text, link=link, label=label
    )


def see(location: str) -> Reply:
    """Send a browser on to a path of ours."""
    return Reply(None, SEE_OTHER, {**SECRET_HEADERS, "location": location})


def log_in(path: str) -> Reply:
    """Send a browser to sign in, and back to a path of ours afterwards."""
    return see(f"{LOG_IN}?{urlencode({'redirect_to': path}, safe='/')}")


def public_url(call: AnyCall) -> str:
    """Give the address of the installation."""
    return call.resource(TeamsSettings).public_url.rstrip("/")


async def visitor(call: AnyCall) -> Browser | None:
    """Find who is signed in.

    Raises:
        Unavailable: auth did not say.
    """
    return await people.browser(call.resource(Siblings), call.headers.get("cookie", ""))


def path_of(call: AnyCall) -> str:
    """Give the path that was asked for, as it was sent."""
    return call.target.partition(b"?")[0].decode("latin-1")


def signed_in(endpoint: PersonsPage, back: str = "") -> Page:
    """Let only people in who are signed in; others sign in first.

    Args:
        endpoint: draws the page for somebody.
        back: where signing in leads to, for forms; pages lead back to themselves.
    """

    async def guarded(call: AnyCall) -> Reply:
        person = await visitor(call)
        if person is None:
            return log_in(back.format(**call.path) if back else path_of(call))
        return await endpoint(call, person)

    return guarded


def with_team(endpoint: TeamPage) -> Page:
    """Let in whoever may see the team: its owner, people with a machine in it, a view token.

    Whoever may see it anyway is sent on to its address without the token.
    """

    async def guarded(call: AnyCall) -> Reply:
        token = call.query.view
        try:
            person = await visitor(call)
        except Unavailable:
            if not token:
                raise
            person = None
        if person is None and not token:
            return log_in(path_of(call))
        if person is not None:
            try:
                view = await operations.by_person(
                    call.database, call.resource(Siblings), call.path["team_id"], person
                )
                return see(path_of(call)) if token else await endpoint(call, view)
            except (NotFound, Unavailable):
                if not token:
                    raise
        key = call.resource(TeamsSettings).key_for_view_tokens()
        view = await operations.by_token(call.database, key, call.path["team_id"], token)
        return await endpoint(call, view)

    return guarded


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
    path: str, endpoint: Page, summary: str, body: type[BaseModel] = Nothing
) -> Operation:
    """Make the row of a form, which must come from a page of ours."""

    async def checked(call: AnyCall) -> Reply:
        check_origin(call.headers, public_url(call))
        return await endpoint(call)

    return Operation(
        method="POST",
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
    403: "This is not allowed",
    404: "There is nothing here",
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
            reply = message(
                _TITLES.get(error.status, "That did not work"), text, status=error.status
            )
            return replace(reply, headers={**error.headers, **reply.headers})

    return spoken
