"""Renewing a session by its refresh token."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.refresh_tokens.models import Family, Use
from services.auth.refresh_tokens.operations import find_family, issue, use
from services.auth.sessions import store
from services.auth.sessions.models import Membership, Opened
from services.auth.sessions.operations.desk import LEARNINGS, Desk, access_token
from services.auth.sessions.operations.ending import end_one
from shared.db import Connection
from shared.errors import Unauthenticated
from shared.principal import ANONYMOUS

LONGEST: Final = timedelta(days=180)
"""After which a session is over, however often it was renewed."""


async def renew(desk: Desk, token: str, origin: Origin) -> Opened:
    """Give a new access token and a new refresh token for a refresh token, which is used up.

    A token that was used before ends the session: one of the two who have it is a thief. Says
    session.revoked then.

    Raises:
        Unauthenticated: with one text for every reason.
    """
    async with desk.database.transaction() as connection:
        family = await find_family(connection, token)
        if family is None:
            raise Unauthenticated
        membership = await store.lock_renewable(connection, family.account_id, family.session_id)
        if membership is None:
            raise Unauthenticated
        found = await use(connection, token)
        if found is Use.GOOD:
            return await _renewed(connection, desk, family, membership)
        if found is Use.REUSED:
            await _end_stolen(connection, family, membership, origin)
    raise Unauthenticated


async def _renewed(
    connection: Connection, desk: Desk, family: Family, membership: Membership
) -> Opened:
    expires_at = await store.prolong(
        connection, family.account_id, family.session_id, LEARNINGS.session, LONGEST
    )
    life = min(LEARNINGS.access, expires_at - datetime.now(UTC))
    return Opened(
        session_id=family.session_id,
        account_id=family.account_id,
        org_id=membership.org_id,
        access_token=access_token(desk, family.session_id, family.account_id, membership, life),
        expires_in=int(life.total_seconds()),
        refresh_token=await issue(connection, family, expires_at),
    )


async def _end_stolen(
    connection: Connection, family: Family, membership: Membership, origin: Origin
) -> None:
    event = AuditEvent(
        "session.reuse_detected",
        origin,
        org_id=membership.org_id,
        target=family.session_id,
        refused=True,
        detail={"account_id": family.account_id},
    )
    await record(connection, event)
    await end_one(
        connection,
        family.account_id,
        family.session_id,
        origin=origin,
        actor=ANONYMOUS,
        reason="refresh_token_reused",
    )
