"""The page on which people create an account."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from services.auth.accounts.models import Registration
from services.auth.accounts.operations import register
from services.auth.audit_events.models import Origin
from services.auth.mail.operations import MailSender
from services.auth.pages.models import Register
from services.auth.pages.routes.frame import (
    LOG_IN,
    message,
    page,
    public_url,
    shown,
    submitted,
)
from services.auth.passwords.operations import Passwords
from shared.api import Call, Empty, Operation, Reply
from shared.errors import Fault, Invalid

PATH: Final = "/users/register"

_SENT: Final = "We wrote to {email}. Open the link in the letter, and your account is ready."


async def show_register(call: Call[Empty, Empty]) -> Reply:
    """``GET /users/register``."""
    return page("register", email="", name="")


async def submit_register(call: Call[Register, Empty]) -> Reply:
    """``POST /users/register``; says the same for a known address."""
    form = call.body
    try:
        wanted = _registration(form)
        await register(
            call.database,
            call.resource(Passwords),
            call.resource(MailSender),
            public_url(call),
            wanted,
            Origin.of(call),
        )
    except Invalid as error:
        return page("register", error=error, email=form.email, name=form.name)
    return message(
        "Look into your mail", _SENT.format(email=wanted.email), LOG_IN, "Back to sign in"
    )


def _registration(form: Register) -> Registration:
    try:
        return Registration(email=form.email, password=form.password, name=form.name)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise Invalid(
            [Fault(("body", *fault["loc"]), fault["msg"], fault["type"]) for fault in faults]
        ) from None


OPERATIONS: Final[tuple[Operation, ...]] = (
    shown(PATH, show_register, "The page to create an account"),
    submitted(PATH, submit_register, "Create an account from the page", Register),
)
