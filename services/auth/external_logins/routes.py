"""HTTP door of external logins: pages (teams contract, section 8), tokens (agents, section 3)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.auth.audit_events.models import Origin
from services.auth.external_logins import operations
from services.auth.external_logins.models import (
    BeginQuery,
    CallbackQuery,
    ExternalLogin,
    ExternalToken,
)
from services.auth.external_logins.operations import Issuers
from services.auth.mail.operations import MailSender
from services.auth.roles.operations import Access
from services.auth.service_accounts.models import Login
from services.auth.service_accounts.operations import login_subject
from services.auth.sessions.operations import Desk
from services.auth.settings import AuthSettings
from services.auth.web_sessions.operations import (
    changer_of,
    find,
    set_challenge,
    set_cookie,
)
from shared.api import Call, Empty, Operation, Reply
from shared.errors import NotFound, ServiceError, Unauthenticated

SIGN_IN: Final = "/users/log-in"
SECOND_STEP: Final = "/users/complete-login"
SETTINGS: Final = "/users/settings"

PageEndpoint = Callable[[Call[Any, Any]], Awaitable[Reply]]


def _as_page(endpoint: PageEndpoint) -> PageEndpoint:
    """Show what goes wrong on a page: whoever comes back from an issuer reads no JSON."""

    async def shown(call: Call[Any, Any]) -> Reply:
        try:
            return await endpoint(call)
        except NotFound as error:
            return _failed("Nothing here", error)
        except ServiceError as error:
            return _failed("That did not work", error)

    return shown


def _failed(title: str, error: ServiceError) -> Reply:
    page = _message(title, f"{error.message}.", SIGN_IN, "Back to sign-in")
    headers = {**page.headers, **error.headers}
    return Reply(page.body, error.status, headers, page.media_type)


async def begin(call: Call[Empty, BeginQuery]) -> Reply:
    """``GET /auth/{provider}``."""
    public_url = call.resource(AuthSettings).public_url
    begun = await operations.begin(
        call.resource(Desk),
        call.resource(Issuers),
        call.path["provider"],
        call.query.redirect_to,
        operations.cookie_in(call.headers, public_url),
    )
    headers = {
        **_PRIVATE,
        "location": begun.address,
        "set-cookie": operations.browser_cookie(begun.cookie, public_url),
    }
    return Reply(None, 303, headers)


async def finish(call: Call[Empty, CallbackQuery]) -> Reply:
    """``GET /auth/{provider}/callback``."""
    public_url = call.resource(AuthSettings).public_url
    arrived = await operations.finish(
        call.resource(Desk),
        call.resource(Issuers),
        call.resource(MailSender),
        call.path["provider"],
        call.query,
        operations.cookie_in(call.headers, public_url),
        await find(call.database, call.headers, public_url),
        Origin.of(call),
    )
    headers = {**_PRIVATE, "location": arrived.return_to}
    if arrived.cookie is not None:
        headers["set-cookie"] = set_cookie(arrived.cookie, public_url)
    if arrived.challenge is not None:
        query = urlencode({"redirect_to": arrived.return_to}, safe="/")
        headers["location"] = f"{SECOND_STEP}?{query}"
        headers["set-cookie"] = set_challenge(arrived.challenge, public_url)
    return Reply(None, 303, headers)


async def link(call: Call[Empty, Empty]) -> Reply:
    """``POST /auth/{provider}/link``.

    The way on is a link: browsers hold a form to its page's policy over redirects too.
    """
    public_url = call.resource(AuthSettings).public_url
    person = await changer_of(call.database, call.principal, call.headers, public_url)
    begun = await operations.begin(
        call.resource(Desk),
        call.resource(Issuers),
        call.path["provider"],
        SETTINGS,
        operations.cookie_in(call.headers, public_url),
        person.account,
    )
    page = _message(
        "One step more",
        "Sign in with the identity that is to open this account from now on.",
        begun.address,
        "Go on",
    )
    cookie = operations.browser_cookie(begun.cookie, public_url)
    return Reply(page.body, 200, {**page.headers, "set-cookie": cookie}, page.media_type)


async def unlink(call: Call[Empty, Empty]) -> Reply:
    """``POST /auth/{provider}/unlink``."""
    public_url = call.resource(AuthSettings).public_url
    person = await changer_of(call.database, call.principal, call.headers, public_url)
    await operations.unlink(
        call.database, call.resource(Issuers), call.path["provider"], person, Origin.of(call)
    )
    return Reply(None, 303, {**_PRIVATE, "location": SETTINGS})


async def log_in(call: Call[ExternalLogin, Empty]) -> ExternalToken | Login:
    """``POST /api/v0/auth/external``: by an issuer's token, or a subject on a caller's word.

    Raises:
        Unauthenticated: nobody is calling, and no issuer is trusted whose token would do instead.
    """
    body, desk, origin = call.body, call.resource(Desk), Origin.of(call)
    issuers = call.resource(Issuers)
    by_token = body.subject is None
    if call.principal.is_anonymous and not (by_token and issuers.for_agents):
        raise Unauthenticated
    if body.subject is None:
        return await operations.exchange_token(desk, issuers, body, origin)
    access = call.resource(Access)
    return await login_subject(desk, access, call.principal, body.subject, origin)


# The look of all pages; what draws those stands above this resource, so only its files are shared.
_PAGES: Final = Path(__file__).parent.parent / "pages"
_STYLE: Final = (_PAGES / "page.css").read_text()
_STYLE_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(_PAGES), autoescape=True, undefined=StrictUndefined
)
_TEMPLATES.globals["style"] = Markup(_STYLE)  # noqa: S704 - our own file
_PRIVATE: Final = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
_PAGE_HEADERS: Final = {
    **_PRIVATE,
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'none';"
        " frame-ancestors 'none'; base-uri 'none'"
    ),
}


def _message(title: str, text: str, address: str, label: str) -> Reply:
    html = _TEMPLATES.get_template("message.html").render(
        title=title, text=text, link=address, label=label
    )
    return Reply(html.encode(), 200, _PAGE_HEADERS, "text/html; charset=utf-8")


def _page(method: str, path: str, endpoint: PageEndpoint, summary: str, query: Any) -> Operation:
    return Operation(
        method=method,
        path=path,
        endpoint=_as_page(endpoint),
        summary=summary,
        query=query,
        answer=None,
        public=True,
        page=True,
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    _page("GET", "/auth/{provider}", begin, "Leave for an issuer to sign in", BeginQuery),
    _page("GET", "/auth/{provider}/callback", finish, "Come back from an issuer", CallbackQuery),
    _page("POST", "/auth/{provider}/link", link, "Link an identity of an issuer", None),
    _page("POST", "/auth/{provider}/unlink", unlink, "Unlink an issuer", None),
    Operation(
        method="POST",
        path="/api/v0/auth/external",
        endpoint=log_in,
        summary="Sign in with the token of a trusted issuer, or for an external subject",
        body=ExternalLogin,
        answer=ExternalToken,
        public=True,
        no_store=True,
        errors=(400, 401, 403, 503),
        tag="Auth",
    ),
)
