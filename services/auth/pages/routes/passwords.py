"""The pages for people who lost their password."""

from __future__ import annotations

from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.mail.operations import MailSender
from services.auth.pages.models import Forgotten, ResetPassword
from services.auth.pages.routes.frame import (
    LOG_IN,
    message,
    page,
    public_url,
    shown,
    submitted,
)
from services.auth.password_resets import operations
from services.auth.passwords.operations import Passwords
from shared.api import Call, Empty, Operation, Reply
from shared.errors import BadRequest, Invalid

FORGOT: Final = "/users/forgot-password"
RESET: Final = "/users/reset-password/{token}"

_SENT: Final = (
    "If an account has this address, a letter is on its way with a link under which you choose a "
    "new password."
)
_DEAD: Final = (
    "This link does not work any more: it was used already, replaced by a newer one, or is too old."
)


async def show_forgot(call: Call[Empty, Empty]) -> Reply:
    """``GET /users/forgot-password``."""
    return page("forgot_password", email="")


async def submit_forgot(call: Call[Forgotten, Empty]) -> Reply:
    """``POST /users/forgot-password``; says the same for an unknown address."""
    mail = call.resource(MailSender)
    email = call.body.email.strip()[:320]
    await operations.request(call.database, mail, public_url(call), email, Origin.of(call))
    return message("Look into your mail", _SENT, LOG_IN, "Back to sign in")


async def show_reset(call: Call[Empty, Empty]) -> Reply:
    """``GET /users/reset-password/{token}``; looking does not use the link up."""
    token = call.path["token"]
    if not await operations.holds(call.database, token):
        return _dead()
    return page("reset_password", token=token)


async def submit_reset(call: Call[ResetPassword, Empty]) -> Reply:
    """``POST /users/reset-password/{token}``."""
    token, new = call.path["token"], call.body.new_password
    try:
        await operations.reset(
            call.database,
            call.resource(Passwords),
            call.resource(MailSender),
            token,
            new,
            Origin.of(call),
        )
    except Invalid as error:
        return page("reset_password", error=error, token=token)
    except BadRequest:
        return _dead()
    text = "Sign in with the new password now. All other sessions have ended."
    return message("Your password is set", text, LOG_IN, "Sign in")


def _dead() -> Reply:
    return message("Link not valid", _DEAD, FORGOT, "Ask for a new letter", BadRequest.status)


OPERATIONS: Final[tuple[Operation, ...]] = (
    shown(FORGOT, show_forgot, "The page to ask for a new password"),
    submitted(FORGOT, submit_forgot, "Write to somebody who lost the password", Forgotten),
    shown(RESET, show_reset, "The page that the letter links to"),
    submitted(RESET, submit_reset, "Set a new password from the page", ResetPassword),
)
