"""The page of a person's settings, and its forms."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from services.auth.accounts.models import Name, ProfileChange
from services.auth.accounts.operations import update_user
from services.auth.audit_events.models import Origin
from services.auth.external_logins.operations import providers
from services.auth.machines import operations as machines
from services.auth.mail.operations import MailSender
from services.auth.pages.models import (
    DoneQuery,
    MachineForm,
    NewName,
    NewPassword,
    SessionForm,
)
from services.auth.pages.operations import own_machines
from services.auth.pages.routes.frame import (
    AnyCall,
    Page,
    SignedInPage,
    back_to,
    page,
    see,
    shown,
    signed_in,
    submitted,
)
from services.auth.password_resets.operations import change
from services.auth.passwords.models import SHORTEST_ON_LEARNINGS
from services.auth.passwords.operations import Passwords, check_new
from services.auth.sessions.operations import end_others, end_own, list_sessions
from services.auth.settings import AuthSettings
from services.auth.two_factor.operations import read_state
from services.auth.web_sessions.models import WebSession
from shared.api import Call, Empty, Operation, Reply
from shared.errors import Invalid, ServiceError
from shared.pagination import PageQuery
from shared.siblings import Siblings

PATH: Final = "/users/settings"
MOST_SESSIONS: Final = 100

_NAME: Final[TypeAdapter[str]] = TypeAdapter(Name)
_DONE: Final = {
    "name": "Your name is saved.",
    "password": "Your password is changed. All other sessions have ended.",
    "session": "The session has ended.",
    "sessions": "All other sessions have ended.",
    "machine": "The machine is revoked.",
    "factor": "The second factor is off.",
}


async def show(call: Call[Empty, DoneQuery], session: WebSession) -> Reply:
    """``GET /users/settings``."""
    return await settings_page(call, session, done=_DONE.get(call.query.done, ""))


async def settings_page(
    call: AnyCall, session: WebSession, error: ServiceError | None = None, done: str = ""
) -> Reply:
    """Draw the page, with what went wrong on top of it."""
    person, settings = session.principal, call.resource(AuthSettings)
    listed = await list_sessions(call.database, person, PageQuery(page=1, page_size=MOST_SESSIONS))
    return page(
        "settings",
        error=error,
        done=done,
        email=session.email,
        name=session.name,
        factor=await read_state(call.database, person),
        sessions=listed.items,
        machines=await own_machines(call.database, person),
        providers=providers(settings),
    )


async def save_name(call: Call[NewName, Empty], session: WebSession) -> Reply:
    """``POST /users/settings/name``."""
    try:
        name = _NAME.validate_python(call.body.name)
    except ValidationError:
        raise Invalid.field("body", "name", msg="must be 1 to 200 printable characters") from None
    change = ProfileChange(name=name)
    await update_user(call.database, session.principal, change, Origin.of(call))
    return _done("name")


async def change_password(call: Call[NewPassword, Empty], session: WebSession) -> Reply:
    """``POST /users/update-password``."""
    await change(
        call.database,
        call.resource(Passwords),
        call.resource(MailSender),
        session.principal,
        call.body.current_password[:1024],
        call.body.new_password,
        Origin.of(call),
        _check,
    )
    return _done("password")


def _check(password: str, email: str) -> None:
    check_new(password, shortest=SHORTEST_ON_LEARNINGS, field="new_password", email=email)


async def end_session(call: Call[SessionForm, Empty], session: WebSession) -> Reply:
    """``POST /users/settings/sessions/end``."""
    await end_own(call.database, session.principal, call.body.session_id, Origin.of(call))
    return _done("session")


async def end_other_sessions(call: Call[Empty, Empty], session: WebSession) -> Reply:
    """``POST /users/settings/sessions/end-others``."""
    await end_others(call.database, session.principal, Origin.of(call))
    return _done("sessions")


async def revoke_machine(call: Call[MachineForm, Empty], session: WebSession) -> Reply:
    """``POST /users/settings/machines/revoke``."""
    await machines.revoke(
        call.database,
        call.resource(Siblings),
        call.body.token,
        session.principal,
        Origin.of(call),
    )
    return _done("machine")


def _done(what: str) -> Reply:
    return see(f"{PATH}?done={what}")


def form(endpoint: SignedInPage) -> Page:
    """Take a form of the page; what goes wrong is said on the page itself."""

    async def tried(call: Call[Any, Any], session: WebSession) -> Reply:
        try:
            return await endpoint(call, session)
        except ServiceError as error:
            return await settings_page(call, session, error)

    return signed_in(tried, back_to(PATH))


OPERATIONS: Final[tuple[Operation, ...]] = (
    shown(PATH, signed_in(show, back_to(PATH)), "A person's settings", DoneQuery),
    submitted(f"{PATH}/name", form(save_name), "Change one's name", NewName),
    submitted(
        "/users/update-password", form(change_password), "Change one's password", NewPassword
    ),
    submitted(f"{PATH}/sessions/end", form(end_session), "End a session of one's own", SessionForm),
    submitted(f"{PATH}/sessions/end-others", form(end_other_sessions), "End all other sessions"),
    submitted(
        f"{PATH}/machines/revoke",
        form(revoke_machine),
        "Revoke a machine of one's own",
        MachineForm,
    ),
)
