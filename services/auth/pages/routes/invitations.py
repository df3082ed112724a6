"""The page that an invitation links to, where no web client has one of its own."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from services.auth.audit_events.models import Origin
from services.auth.invitations.models import Acceptance
from services.auth.invitations.operations import accept
from services.auth.pages.models import AcceptForm, Invited
from services.auth.pages.routes.frame import LOG_IN, message, page, shown, submitted
from services.auth.sessions.operations import Desk
from shared.api import Call, Empty, Operation, Reply
from shared.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    ServiceError,
    Unauthenticated,
)

PATH: Final = "/accept-invite"


async def show(call: Call[Empty, Invited]) -> Reply:
    """``GET /accept-invite``."""
    return page("accept_invite", token=call.query.token, name="")


async def submit(call: Call[AcceptForm, Empty]) -> Reply:
    """``POST /accept-invite``."""
    form = call.body
    try:
        await accept(call.resource(Desk), _acceptance(form), Origin.of(call))
    except (
        BadRequest, Conflict, Forbidden, Invalid, NotFound, RateLimited, Unauthenticated
    ) as error:  # fmt: skip
        return _again(form, error)
    return message("Welcome", "You belong to the organization now.", LOG_IN, "Sign in")


def _again(form: AcceptForm, error: ServiceError) -> Reply:
    return page("accept_invite", error=error, token=form.token, name=form.name)


def _acceptance(form: AcceptForm) -> Acceptance:
    try:
        return Acceptance(
            token=form.token,
            password=form.password,
            name=form.name.strip() or None,
            code=form.totp.strip() or None,
        )
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        raise Invalid.field("body", field, msg="is not valid") from None


OPERATIONS: Final[tuple[Operation, ...]] = (
    shown(PATH, show, "The page that an invitation links to", Invited),
    submitted(PATH, submit, "Accept an invitation from the page", AcceptForm),
)
