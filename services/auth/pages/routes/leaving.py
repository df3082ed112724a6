"""The pages on which a person takes their data along, and goes."""

from __future__ import annotations

from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.erasures import operations
from services.auth.erasures.models import Goodbye
from services.auth.mail.operations import MailSender
from services.auth.pages.models import SecondFactor
from services.auth.pages.routes.frame import (
    back_to,
    message,
    page,
    public_url,
    shown,
    signed_in,
    submitted,
)
from services.auth.pages.routes.settings import PATH
from services.auth.sessions.operations import Desk
from services.auth.two_factor.operations import read_state
from services.auth.web_sessions.models import WebSession
from services.auth.web_sessions.operations import clear_cookie
from shared.api import Call, Empty, Operation, Reply
from shared.errors import Conflict, RateLimited, ServiceError, Unauthenticated
from shared.siblings import Siblings

DELETE: Final = f"{PATH}/delete"

_GONE: Final = "Your account is deleted. Every service forgets what it held of you."


async def export(call: Call[Empty, Empty], session: WebSession) -> Reply:
    """``GET /users/settings/export``: a file of all that is held."""
    content = await operations.export_all(call.database, session.principal)
    headers = {
        "cache-control": "no-store",
        "content-disposition": 'attachment; filename="guildhall-export.json"',
    }
    return Reply(content, headers=headers)


async def show_delete(call: Call[Empty, Empty], session: WebSession) -> Reply:
    """``GET /users/settings/delete``."""
    return await _delete_page(call, session)


async def delete(call: Call[SecondFactor, Empty], session: WebSession) -> Reply:
    """``POST /users/settings/delete``."""
    person, origin = session.principal, Origin.of(call)
    form = call.body
    goodbye = Goodbye(password=form.password[:1024], code=form.totp[:40].strip() or None)
    try:
        await operations.prove(call.resource(Desk), person, goodbye, origin)
        mail, siblings = call.resource(MailSender), call.resource(Siblings)
        await operations.erase(call.database, mail, siblings, person, origin)
    except (Unauthenticated, RateLimited, Conflict) as error:
        return await _delete_page(call, session, error)
    reply = message("Goodbye", _GONE)
    headers = {**reply.headers, "set-cookie": clear_cookie(public_url(call))}
    return Reply(reply.body, 200, headers, reply.media_type)


async def _delete_page(
    call: Call[Empty, Empty] | Call[SecondFactor, Empty],
    session: WebSession,
    error: ServiceError | None = None,
) -> Reply:
    factor = await read_state(call.database, session.principal)
    return page("delete_account", error=error, email=session.email, factor=factor)


OPERATIONS: Final[tuple[Operation, ...]] = (
    shown(f"{PATH}/export", signed_in(export, back_to(PATH)), "All that is held of an account"),
    shown(DELETE, signed_in(show_delete, back_to(DELETE)), "The page to delete one's account"),
    submitted(DELETE, signed_in(delete, back_to(DELETE)), "Delete one's account", SecondFactor),
)
