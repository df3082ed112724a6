"""What a person decides about a device login, on a page or over the API.

Wrong codes count by account, session and network address. A right one forgives nothing: otherwise
somebody could guess on, with a login of their own approved now and then.
"""

from __future__ import annotations

from typing import Final

from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record, record_alone
from services.auth.device_logins import rules, store
from services.auth.device_logins.models import Approved, Choice, Decision, Denied, Login
from services.auth.live_sessions.operations import require_live
from services.auth.machines import operations as machines
from services.auth.machines.operations import shown_token
from services.auth.throttles.models import Counted
from services.auth.throttles.operations import (
    USER_CODE_BY_ACCOUNT,
    USER_CODE_BY_ADDRESS,
    USER_CODE_BY_SESSION,
    fail,
    require,
)
from shared.db import Connection, Database
from shared.errors import BadRequest, Conflict, NotFound
from shared.principal import Principal

MOST_FAILURES: Final = 5
"""Of one request, such as a machine that belongs to somebody else; then the request ends."""

WRONG_CODE: Final = "Unknown or expired code"
DECIDED: Final = "You have decided about this device already"


async def look(database: Database, typed: str, principal: Principal, origin: Origin) -> Login:
    """Find what asks for approval by its code, and change nothing.

    Raises:
        BadRequest: the code is wrong; it is counted.
        RateLimited: too many were.
    """
    counters = _counters(principal, origin)
    code = rules.normal_code(typed)
    async with database.connection() as connection:
        await require(connection, *counters)
        login = await store.find_by_code(connection, code) if code is not None else None
    decided = login is not None and login.status != "pending"
    if login is None or (decided and login.account_id != principal.account):
        await _count_wrong(database, counters, principal, origin)
        raise BadRequest(WRONG_CODE)
    return login


async def decide(
    database: Database, decision: Decision, principal: Principal, origin: Origin
) -> Approved | Denied:
    """Approve or deny a device. To decide again what was decided so already changes nothing.

    A machine is linked in the same transaction, so that it never hears of a link that there is
    not.

    Raises:
        BadRequest: the code is unknown, expired, or another person's by now; it is counted.
        RateLimited: too many were.
        NotFound: the organization is none of the person's.
        Conflict: the machine belongs to another account, or the person decided the other way.
    """
    counters = _counters(principal, origin)
    code = rules.normal_code(decision.user_code)
    verdict: rules.Verdict = "unknown"
    login: Login | None = None
    try:
        async with database.transaction() as connection:
            await require(connection, *counters)
            login = await store.lock_by_code(connection, code) if code is not None else None
            verdict = rules.judge(login, principal.account, deny=decision.deny)
            if login is not None and verdict == "open":
                await require_live(connection, principal)
                await _carry_out(connection, login, decision, principal, origin)
    except Conflict:
        assert login is not None  # only carrying out conflicts
        async with database.transaction() as connection:
            await store.count_failure(connection, login.digest, MOST_FAILURES)
        raise
    if verdict == "unknown":
        await _count_wrong(database, counters, principal, origin)
        raise BadRequest(WRONG_CODE)
    if verdict == "closed":
        raise Conflict(DECIDED)
    return Denied() if decision.deny else Approved()


async def choices(database: Database, principal: Principal) -> list[Choice]:
    """List the organizations for which a person may approve a key."""
    async with database.connection() as connection:
        return await store.list_choices(connection, principal.account)


async def _carry_out(
    connection: Connection,
    login: Login,
    decision: Decision,
    principal: Principal,
    origin: Origin,
) -> None:
    account = principal.account
    org_id: str | None = None
    if not decision.deny:
        org_id = decision.org_id or principal.org
        if not await store.is_member(connection, org_id, account):
            raise NotFound
        if login.machine_token is not None:
            name = decision.machine_name or machines.name_of(login.user_agent)
            await machines.link(connection, login.machine_token, principal, name, origin)
    status = "denied" if decision.deny else "approved"
    await store.decide(connection, login.digest, status, account, org_id)
    event = AuditEvent(
        f"device_login.{status}",
        origin,
        principal,
        org_id=org_id or "",
        target=shown_token(login.machine_token) if login.machine_token else login.client_name,
        detail={"kind": login.kind, "client": login.client, "user_agent": login.user_agent},
    )
    await record(connection, event)


def _counters(principal: Principal, origin: Origin) -> tuple[Counted, ...]:
    by_address = Counted(USER_CODE_BY_ADDRESS, origin.client)
    if principal.is_anonymous:
        return (by_address,)
    return (
        Counted(USER_CODE_BY_ACCOUNT, principal.account),
        Counted(USER_CODE_BY_SESSION, principal.session),
        by_address,
    )


async def _count_wrong(
    database: Database, counters: tuple[Counted, ...], principal: Principal, origin: Origin
) -> None:
    if not principal.is_anonymous:
        refused = AuditEvent("device_login.approved", origin, principal, refused=True)
        await record_alone(database, refused)
    await fail(database, *counters)
