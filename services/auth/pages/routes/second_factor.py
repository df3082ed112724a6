"""The pages on which a person switches the second factor on and off."""

from __future__ import annotations

from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.mail.operations import MailSender
from services.auth.pages.models import SecondFactor
from services.auth.pages.routes.frame import (
    back_to,
    page,
    see,
    signed_in,
    submitted,
)
from services.auth.pages.routes.settings import PATH, form
from services.auth.pages.rules.rendering import picture
from services.auth.passwords.operations import Passwords
from services.auth.two_factor import operations
from services.auth.web_sessions.models import WebSession
from shared.api import Call, Empty, Operation, Reply
from shared.errors import BadRequest, RateLimited
from shared.vault import Vault

FACTOR: Final = f"{PATH}/two-factor"


async def enrol(call: Call[Empty, Empty], session: WebSession) -> Reply:
    """``POST /users/settings/two-factor``: show the secret."""
    vault = call.resource(Vault)
    enrolment = await operations.enrol(call.database, vault, session.principal, Origin.of(call))
    return page("two_factor", enrolment=enrolment, picture=picture(enrolment.qr_svg))


async def confirm(call: Call[SecondFactor, Empty], session: WebSession) -> Reply:
    """``POST /users/settings/two-factor/confirm``: show the recovery codes, once."""
    vault, code = call.resource(Vault), call.body.totp[:40].strip()
    try:
        codes = await operations.confirm(
            call.database, vault, session.principal, code, Origin.of(call)
        )
    except (BadRequest, RateLimited) as error:
        return page("two_factor", error=error, enrolment=None, picture="")
    call.resource(MailSender).ring()
    return page("recovery_codes", codes=codes)


async def disable(call: Call[SecondFactor, Empty], session: WebSession) -> Reply:
    """``POST /users/settings/two-factor/disable``."""
    await operations.disable(
        call.database,
        call.resource(Passwords),
        call.resource(Vault),
        session.principal,
        call.body.password[:1024],
        None,
        Origin.of(call),
    )
    call.resource(MailSender).ring()
    return see(f"{PATH}?done=factor")


async def renew_codes(call: Call[SecondFactor, Empty], session: WebSession) -> Reply:
    """``POST /users/settings/two-factor/codes``."""
    codes = await operations.renew_codes(
        call.database,
        call.resource(Passwords),
        call.resource(Vault),
        session.principal,
        call.body.password[:1024],
        Origin.of(call),
    )
    return page("recovery_codes", codes=codes)


OPERATIONS: Final[tuple[Operation, ...]] = (
    submitted(FACTOR, form(enrol), "Begin with a second factor"),
    submitted(
        f"{FACTOR}/confirm",
        signed_in(confirm, back_to(PATH)),
        "Switch the second factor on",
        SecondFactor,
    ),
    submitted(f"{FACTOR}/disable", form(disable), "Switch the second factor off", SecondFactor),
    submitted(f"{FACTOR}/codes", form(renew_codes), "Make new recovery codes", SecondFactor),
)
