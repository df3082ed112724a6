"""The consent page, on which people allow devices (teams contract, section 7)."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter, ValidationError

from services.auth.audit_events.models import Origin
from services.auth.device_logins import operations
from services.auth.device_logins.models import Decision, Login
from services.auth.machines.models import MachineName
from services.auth.machines.operations import name_of
from services.auth.pages.models import DeviceForm, DeviceQuery
from services.auth.pages.operations import ALLOWED
from services.auth.pages.routes.frame import (
    AnyCall,
    Page,
    message,
    page,
    see,
    shown,
    signed_in,
    submitted,
)
from services.auth.web_sessions.models import WebSession
from shared.api import Call, Empty, Operation, Reply
from shared.errors import BadRequest, Conflict, NotFound, RateLimited, ServiceError

DENIED: Final = "/device/denied"

_ALREADY: Final = "This device was allowed already. Go back to it."
_NAME: Final[TypeAdapter[str]] = TypeAdapter(MachineName)


def _pages(path: str) -> tuple[Operation, Operation]:
    """Make the consent page at one of its two addresses."""

    def back(call: AnyCall) -> dict[str, str]:
        given = {"redirect_to": path, "code": call.query.code, "auto": call.query.auto}
        return {name: value for name, value in given.items() if value}

    async def show(call: Call[Empty, DeviceQuery], session: WebSession) -> Reply:
        code = call.query.code
        if not code:
            return page("device_code", path=path, code="", email=session.email)
        try:
            login = await operations.look(call.database, code, session.principal, Origin.of(call))
        except (BadRequest, RateLimited) as error:
            return page("device_code", error=error, path=path, code=code, email=session.email)
        return await _found(call, session, login, path)

    async def submit(call: Call[DeviceForm, Empty], session: WebSession) -> Reply:
        return await _decide(call, session, path)

    def form_back(call: AnyCall) -> dict[str, str]:
        given = {"redirect_to": path, "code": call.body.code}
        return {name: value for name, value in given.items() if value}

    looked: Page = signed_in(show, back)
    decided: Page = signed_in(submit, form_back)
    return (
        shown(path, looked, "The page to allow a device", DeviceQuery),
        submitted(path, decided, "Allow or deny a device", DeviceForm),
    )


async def _found(call: AnyCall, session: WebSession, login: Login, path: str) -> Reply:
    if login.status == "approved":
        return message("Already allowed", _ALREADY)
    if login.status == "denied":
        return _denied()
    return await _consent(call, session, login, path)


async def _consent(
    call: AnyCall,
    session: WebSession,
    login: Login,
    path: str,
    machine_name: str = "",
    error: ServiceError | None = None,
) -> Reply:
    return page(
        "consent",
        error=error,
        path=path,
        login=login,
        email=session.email,
        choices=await operations.choices(call.database, session.principal),
        org_id=session.principal.org,
        machine_name=machine_name or name_of(login.user_agent),
    )


async def _decide(call: Call[DeviceForm, Empty], session: WebSession, path: str) -> Reply:
    form, person, origin = call.body, session.principal, Origin.of(call)
    try:
        login = await operations.look(call.database, form.code, person, origin)
    except (BadRequest, RateLimited) as error:
        return page("device_code", error=error, path=path, code=form.code, email=session.email)
    if login.status != "pending" or form.choice not in ("allow", "deny"):
        return await _found(call, session, login, path)
    try:
        decision = Decision(
            user_code=login.user_code,
            org_id=form.org_id or None,
            deny=form.choice == "deny",
            machine_name=_name(form.machine_name),
        )
        await operations.decide(call.database, decision, person, origin)
    except (BadRequest, Conflict, NotFound, RateLimited) as error:
        return await _consent(call, session, login, path, form.machine_name, error)
    return see(DENIED if decision.deny else ALLOWED)


def _name(typed: str) -> str | None:
    if not typed.strip():
        return None
    try:
        return _NAME.validate_python(typed)
    except ValidationError:
        raise BadRequest("The name must be 1 to 64 printable characters") from None


async def show_allowed(call: Call[Empty, Empty]) -> Reply:
    """``GET /device/allowed``."""
    text = "You can close this page and go back to your device; it goes on by itself."
    return message("The device is allowed", text)


async def show_denied(call: Call[Empty, Empty]) -> Reply:
    """``GET /device/denied``."""
    return _denied()


def _denied() -> Reply:
    text = "The device gets nothing. If you did not begin this, somebody else tried."
    return message("The device is denied", text)


OPERATIONS: Final[tuple[Operation, ...]] = (
    *_pages("/device"),
    *_pages("/auth/verify"),
    shown(ALLOWED, show_allowed, "What a person sees who allowed a device"),
    shown(DENIED, show_denied, "What a person sees who denied a device"),
)
