"""The page that people see first."""

from __future__ import annotations

from typing import Final

from services.auth.device_logins.operations import choices
from services.auth.pages.routes.frame import back_to, page, shown, signed_in
from services.auth.web_sessions.models import WebSession
from services.auth.web_sessions.operations import HOME
from shared.api import Call, Empty, Operation, Reply


async def show_home(call: Call[Empty, Empty], session: WebSession) -> Reply:
    """``GET /dashboard``."""
    return page(
        "dashboard",
        name=session.name,
        email=session.email,
        org_id=session.principal.org,
        choices=await choices(call.database, session.principal),
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    shown(HOME, signed_in(show_home, back_to(HOME)), "Who is signed in, and what there is"),
)
