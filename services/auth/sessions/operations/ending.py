"""Ending sessions: one's own, all but one, somebody's by whoever may."""

from __future__ import annotations

from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.sessions import store
from services.auth.sessions.models import SESSION_PREFIX
from services.auth.two_factor.operations import void_challenges
from shared.bus import outbox
from shared.contracts.auth import SessionRevoked
from shared.db import Connection, Database
from shared.errors import Forbidden, NotFound
from shared.principal import Principal


async def sign_out(database: Database, principal: Principal, origin: Origin) -> None:
    """End the caller's session on every surface. Says session.revoked.

    Raises:
        Forbidden: the caller has no session, because a key or machine is calling.
    """
    if not principal.session.startswith(SESSION_PREFIX):
        raise Forbidden("This credential has no session to end; revoke it instead")
    async with database.transaction() as connection:
        await end_one(
            connection,
            principal.account,
            principal.session,
            origin=origin,
            actor=principal,
            reason="signed_out",
        )


async def end_own(
    database: Database, principal: Principal, session_id: str, origin: Origin
) -> None:
    """End one of the caller's sessions. Says session.revoked.

    Raises:
        Forbidden: no person is calling.
        NotFound: it is over, or somebody else's.
    """
    principal.require_person()
    async with database.transaction() as connection:
        ended = await end_one(
            connection,
            principal.account,
            session_id,
            origin=origin,
            actor=principal,
            reason="ended_by_owner",
        )
    if not ended:
        raise NotFound


async def end_others(database: Database, principal: Principal, origin: Origin) -> int:
    """End all of the caller's sessions but the one in use; tell how many there were.

    Says session.revoked for each.

    Raises:
        Forbidden: no person is calling.
    """
    principal.require_person()
    async with database.transaction() as connection:
        return await end_all(
            connection,
            principal.account,
            except_session=principal.session,
            origin=origin,
            actor=principal,
            reason="ended_by_owner",
        )


async def end_one(
    connection: Connection,
    account_id: str,
    session_id: str,
    *,
    origin: Origin,
    actor: Principal,
    reason: str,
) -> bool:
    """End a session, in the caller's transaction; its refresh token and cookie end with it.

    Says session.revoked. False when the person has no such session, or it is over already.
    """
    if not await store.end(connection, account_id, session_id):
        return False
    await outbox.add(connection, SessionRevoked(session_id=session_id, account_id=account_id))
    detail = {"reason": reason}
    await record(
        connection, AuditEvent("session.ended", origin, actor, target=session_id, detail=detail)
    )
    return True


async def end_all(
    connection: Connection,
    account_id: str,
    *,
    except_session: str = "",
    origin: Origin,
    actor: Principal,
    reason: str,
) -> int:
    """End a person's sessions, in the caller's transaction, and tell how many there were.

    Refresh tokens and browsers' cookies end with their sessions, and so do logins that still wait
    for a second factor. API keys go on. Says session.revoked for each.

    Args:
        connection: in whose transaction.
        account_id: whose sessions.
        except_session: one that goes on, such as the caller's own.
        origin: where the request came from.
        actor: who ends them.
        reason: for the audit log, such as ``password_reset``.
    """
    await void_challenges(connection, account_id)
    ended = await store.end_all(connection, account_id, except_session)
    await outbox.add_all(
        connection, [SessionRevoked(session_id=one, account_id=account_id) for one in ended]
    )
    detail = {"reason": reason, "ended": len(ended)}
    event = AuditEvent("account.sessions_ended", origin, actor, target=account_id, detail=detail)
    await record(connection, event)
    return len(ended)
