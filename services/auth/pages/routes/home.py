"""The page that people see first."""

from __future__ import annotations

from typing import Any, Final

from services.auth.api_keys.operations import list_refused
from services.auth.device_logins.operations import choices
from services.auth.pages.routes.frame import back_to, page, public_url, see, shown, signed_in
from services.auth.web_sessions.models import WebSession
from services.auth.web_sessions.operations import HOME
from shared.api import Call, Empty, Operation, Reply

TERMS: Final = "/users/accept-terms"


async def show_home(call: Call[Empty, Empty], session: WebSession) -> Reply:
    """``GET /dashboard``."""
    return page(
        "dashboard",
        name=session.name,
        email=session.email,
        org_id=session.principal.org,
        choices=await choices(call.database, session.principal),
        refused=await list_refused(call.database, session.principal),
        address=public_url(call),
    )


async def pass_terms(call: Call[Any, Any], session: WebSession) -> Reply:
    """``GET /users/accept-terms``: on to the rest, because whoever registered has accepted."""
    return see(HOME)


OPERATIONS: Final[tuple[Operation, ...]] = (
    shown(HOME, signed_in(show_home, back_to(HOME)), "Who is signed in, and what there is"),
    shown(TERMS, signed_in(pass_terms, back_to(TERMS)), "On to the rest: terms are accepted"),
)
