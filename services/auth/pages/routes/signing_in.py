"""The pages on which people sign in and out."""

from __future__ import annotations

from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.external_logins.operations import providers
from services.auth.mail.operations import MailSender
from services.auth.pages import operations
from services.auth.pages.models import CompleteLogIn, LogIn, TargetQuery
from services.auth.pages.operations import Step
from services.auth.pages.routes.frame import (
    LOG_IN,
    message,
    page,
    public_url,
    see,
    shown,
    signed_in_cookie,
    submitted,
    visitor,
)
from services.auth.pages.rules.targets import Target
from services.auth.sessions.models import PasswordCredential
from services.auth.sessions.operations import Desk, sign_out
from services.auth.settings import AuthSettings
from services.auth.sign_in_links import operations as links
from services.auth.web_sessions.operations import (
    challenge_in,
    clear_cookie,
    set_challenge,
)
from shared.api import Call, Empty, Operation, Reply
from shared.errors import (
    Forbidden,
    RateLimited,
    ServiceError,
    Unauthenticated,
    Unavailable,
)

COMPLETE: Final = "/users/complete-login"
TOO_LATE: Final = "The first step was too long ago. Start again."

_LINK_SENT: Final = (
    "If an account has this address, a letter with a sign-in link is on its way. It works for 15 "
    "minutes; after a minute you can ask for another one."
)


async def show_log_in(call: Call[Empty, TargetQuery]) -> Reply:
    """``GET /users/log-in``; who is signed in already goes on."""
    query = call.query
    target = Target.read(query.redirect_to, query.code, query.auto)
    if await visitor(call) is not None:
        return see(target.location)
    return await _log_in_page(call, target)


async def log_in(call: Call[LogIn, Empty]) -> Reply:
    """``POST /users/log-in``: by password, or by a letter."""
    form, desk = call.body, call.resource(Desk)
    target = Target.read(form.redirect_to, form.code, form.auto)
    if form.by == "link":
        mail = call.resource(MailSender)
        await links.request(call.database, mail, public_url(call), form.email[:320])
        return message("Look into your mail", _LINK_SENT, LOG_IN, "Back to sign in")
    credential = PasswordCredential(form.email[:320], form.password[:1024])
    try:
        step = await operations.log_in(
            desk, credential, call.headers, Origin.of(call), target, remember=bool(form.remember)
        )
    except (Unauthenticated, Forbidden, RateLimited, Unavailable) as error:
        return await _log_in_page(call, target, form.email, bool(form.remember), error)
    return _next(call, step, target, remember=bool(form.remember))


async def _log_in_page(
    call: Call[Empty, TargetQuery] | Call[LogIn, Empty],
    target: Target,
    email: str = "",
    remember: bool = False,
    error: ServiceError | None = None,
) -> Reply:
    login = await operations.waiting_device(call.database, target, Origin.of(call))
    return page(
        "log_in",
        error=error,
        # What is not shown is not agreed to.
        target=target if login is not None else target.by_hand,
        login=login,
        email=email,
        remember=remember,
        providers=providers(call.resource(AuthSettings)),
    )


def _next(
    call: Call[LogIn, Empty] | Call[CompleteLogIn, Empty] | Call[Empty, Empty],
    step: Step,
    target: Target,
    *,
    remember: bool,
) -> Reply:
    if step.challenge is not None:
        where = f"{COMPLETE}?{target.query}{'&remember=1' if remember else ''}"
        return see(where, set_challenge(step.challenge, public_url(call)))
    assert step.cookie is not None  # a step has one or the other
    return see(step.location, signed_in_cookie(call, step.cookie))


async def show_complete(call: Call[Empty, TargetQuery]) -> Reply:
    """``GET /users/complete-login``: the second step, by the code of an authenticator."""
    query = call.query
    target = Target.read(query.redirect_to, query.code, query.auto)
    if challenge_in(call.headers, public_url(call)) is None:
        return see(f"{LOG_IN}?{target.query}")
    return await _complete_page(call, target, query.remember)


async def complete(call: Call[CompleteLogIn, Empty]) -> Reply:
    """``POST /users/complete-login``."""
    form, desk = call.body, call.resource(Desk)
    target = Target.read(form.redirect_to, form.code, form.auto)
    challenge = challenge_in(call.headers, public_url(call))
    try:
        if challenge is None:
            raise Unauthenticated
        step = await operations.complete(
            desk,
            challenge,
            form.totp[:40],
            call.headers,
            Origin.of(call),
            target,
            remember=bool(form.remember),
        )
    except Unauthenticated as error:
        shown_error = Unauthenticated(TOO_LATE) if error.is_default else error
        return await _complete_page(call, target, form.remember, shown_error)
    except RateLimited as error:
        return await _complete_page(call, target, form.remember, error)
    return _next(call, step, target, remember=bool(form.remember))


async def _complete_page(
    call: Call[Empty, TargetQuery] | Call[CompleteLogIn, Empty],
    target: Target,
    remember: str,
    error: ServiceError | None = None,
) -> Reply:
    login = await operations.waiting_device(call.database, target, Origin.of(call))
    return page(
        "complete_login",
        error=error,
        target=target if login is not None else target.by_hand,
        login=login,
        remember=remember,
    )


async def show_link(call: Call[Empty, Empty]) -> Reply:
    """``GET /users/log-in/{token}``: ask for a click, because mail scanners open links too."""
    return page("sign_in_link", token=call.path["token"])


async def log_in_by_link(call: Call[LogIn, Empty]) -> Reply:
    """``POST /users/log-in/{token}``."""
    remember = bool(call.body.remember)
    step = await operations.log_in_by_link(
        call.resource(Desk), call.path["token"], call.headers, Origin.of(call), remember=remember
    )
    return _next(call, step, Target.read(""), remember=remember)


async def log_out(call: Call[Empty, Empty]) -> Reply:
    """``POST`` and ``DELETE /users/log-out``: the session ends on every surface."""
    session = await visitor(call)
    if session is not None:
        await sign_out(call.database, session.principal, Origin.of(call))
    return see(LOG_IN, clear_cookie(public_url(call)))


OPERATIONS: Final[tuple[Operation, ...]] = (
    shown(LOG_IN, show_log_in, "The page to sign in", TargetQuery),
    submitted(LOG_IN, log_in, "Sign a browser in", LogIn),
    shown(f"{LOG_IN}/{{token}}", show_link, "The page that a sign-in letter links to"),
    submitted(f"{LOG_IN}/{{token}}", log_in_by_link, "Sign a browser in by a letter", LogIn),
    shown(COMPLETE, show_complete, "The page that asks for the second factor", TargetQuery),
    submitted(COMPLETE, complete, "Sign a browser in by the second factor", CompleteLogIn),
    submitted("/users/log-out", log_out, "Sign a browser out"),
    submitted("/users/log-out", log_out, "Sign a browser out", method="DELETE"),
)
