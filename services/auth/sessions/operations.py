"""Use cases of sessions: signing in, signing out, and whether a session still holds."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from services.auth.accounts.models import Account
from services.auth.accounts.operations import authenticate
from services.auth.api_keys import operations as api_keys
from services.auth.api_keys.models import ID_PREFIX as KEY_PREFIX
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.passwords.operations import Passwords
from services.auth.sealing.operations import Vault
from services.auth.sessions import rules, store
from services.auth.sessions.models import (
    KeyCredential,
    Lives,
    Membership,
    NewSession,
    Opened,
    PasswordCredential,
    SessionCheck,
    SessionVerdict,
    Token,
)
from services.auth.signing_keys.operations import KeyRing
from services.auth.two_factor.operations import require_code
from shared.bus import outbox
from shared.contracts.auth import SessionRevoked
from shared.db import Connection, Database
from shared.errors import Forbidden, Unauthenticated
from shared.ids import new_id
from shared.principal import Kind, Principal

LEARNINGS: Final = Lives(access=timedelta(hours=1), session=timedelta(hours=1))
"""Of the learnings surface (section 3)."""

DAY: Final = Lives(access=timedelta(hours=24), session=timedelta(hours=24))
"""Of surfaces whose clients cannot renew a token (runs and agents contracts, sections 3)."""

SESSION_PREFIX: Final = "ses_"

SWEEP_BATCH: Final = 10_000


@dataclass(frozen=True, slots=True)
class Desk:
    """All that signing somebody in takes.

    Attributes:
        database: the service's.
        passwords: checks them.
        vault: opens second factors.
        keys: sign tokens.
        issuer: the installation's public URL.
    """

    database: Database
    passwords: Passwords
    vault: Vault
    keys: KeyRing
    issuer: str


@dataclass(frozen=True, slots=True)
class SessionChecks:
    """Who answers for sessions that are kept elsewhere, by how their ids begin.

    Each is asked with the session's id and its subject.
    """

    by_prefix: Mapping[str, Callable[[Database, str, str], Awaitable[SessionVerdict]]]


async def prove(desk: Desk, credential: PasswordCredential, origin: Origin) -> Account:
    """Prove who somebody is: the one way for every login of a person, on every surface.

    Raises:
        RateLimited: too many tries failed.
        Unauthenticated: with one text for every reason, or because a second factor is needed.
        Forbidden: the address is not verified.
    """
    account = await authenticate(
        desk.database, desk.passwords, credential.email, credential.password, origin
    )
    await require_code(desk.database, desk.vault, account.id, credential.code, origin)
    return account


async def sign_in(
    desk: Desk, credential: PasswordCredential, origin: Origin, lives: Lives
) -> Opened:
    """Open a session for an address and a password; for what is raised see ``prove``."""
    account = await prove(desk, credential, origin)
    async with desk.database.transaction() as connection:
        return await open_session(connection, desk, account.id, origin, lives)


async def open_session(
    connection: Connection,
    desk: Desk,
    account_id: str,
    origin: Origin,
    lives: Lives,
    kind: Literal["api", "web"] = "api",
) -> Opened:
    """Open a session for somebody who has proved who they are, in the caller's transaction.

    Raises:
        Forbidden: the person belongs nowhere, or may not act any more.
    """
    membership = await store.find_active_membership(connection, account_id)
    if membership is None:
        raise Forbidden("This account belongs to no organization")
    session = NewSession(
        membership.org_id, new_id(SESSION_PREFIX), account_id, kind, lives.session, origin
    )
    await store.insert(connection, session)
    await record(connection, _opened(session, membership))
    return Opened(
        session_id=session.id,
        account_id=account_id,
        org_id=membership.org_id,
        access_token=_access_token(desk, session.id, account_id, membership, lives.access),
        expires_in=int(lives.access.total_seconds()),
    )


def _opened(session: NewSession, membership: Membership) -> AuditEvent:
    actor = Principal(
        Kind.USER, session.account_id, session.org_id, membership.role, session=session.id
    )
    return AuditEvent(
        "session.opened", session.origin, actor, target=session.id, detail={"kind": session.kind}
    )


def _access_token(
    desk: Desk, session_id: str, account_id: str, membership: Membership, life: timedelta
) -> str:
    now = int(time.time())
    return desk.keys.sign(
        rules.claims(
            desk.issuer,
            account_id,
            session_id,
            membership.org_id,
            rules.role_of(membership.role, membership.platform_admin),
            now,
            now + int(life.total_seconds()),
            new_id("jti_"),
        )
    )


def sign_for(desk: Desk, subject: str, session_id: str, life: timedelta) -> str:
    """Sign the access token of a session that is kept elsewhere, of one without an organization."""
    now = int(time.time())
    until = now + int(life.total_seconds())
    claims = rules.claims(desk.issuer, subject, session_id, "", "", now, until, new_id("jti_"))
    return desk.keys.sign(claims)


async def exchange_key(desk: Desk, credential: KeyCredential) -> Token:
    """Give a token for an API key: with its organization and scopes, and no longer than it lives.

    Raises:
        Unauthenticated: the key does not hold.
    """
    verdict = await api_keys.check(desk.database, credential.key)
    if not verdict.active:
        raise Unauthenticated
    now = int(time.time())
    life = int(LEARNINGS.access.total_seconds())
    if verdict.expires_at is not None:
        life = min(life, verdict.expires_at - now)
    if life <= 0:
        raise Unauthenticated
    claims = rules.claims(
        desk.issuer,
        verdict.account_id,
        verdict.key_id,
        verdict.org_id,
        verdict.role,
        now,
        now + life,
        new_id("jti_"),
        verdict.scopes,
    )
    return Token(access_token=desk.keys.sign(claims), expires_in=life)


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
    ended = await store.end_all(connection, account_id, except_session)
    await outbox.add_all(
        connection, [SessionRevoked(session_id=one, account_id=account_id) for one in ended]
    )
    detail = {"reason": reason, "ended": len(ended)}
    event = AuditEvent("account.sessions_ended", origin, actor, target=account_id, detail=detail)
    await record(connection, event)
    return len(ended)


async def check(database: Database, others: SessionChecks, asked: SessionCheck) -> SessionVerdict:
    """Tell whether the session of a token still holds, and with which role and scopes.

    The session of a token that was bought with an API key is that key.
    """
    for prefix, answer in others.by_prefix.items():
        if asked.session_id.startswith(prefix):
            return await answer(database, asked.session_id, asked.account_id)
    if asked.session_id.startswith(KEY_PREFIX):
        key = await api_keys.check_id(database, asked.org_id, asked.session_id)
        if not key.active or key.account_id != asked.account_id:
            return SessionVerdict(active=False)
        return SessionVerdict(active=True, kind=Kind.API_KEY, role=key.role, scopes=key.scopes)
    async with database.connection() as connection:
        standing = await store.find_standing(
            connection, asked.org_id, asked.session_id, asked.account_id
        )
    if standing is None:
        return SessionVerdict(active=False)
    return SessionVerdict(
        active=True,
        kind=Kind.USER,
        role=rules.role_of(standing["role"], standing["platform_admin"]),
        scopes=rules.scopes_of(standing["platform_admin"]),
    )


async def sweep(database: Database) -> None:
    """Drop sessions that expired long ago."""
    async with database.connection() as connection:
        while await store.delete_expired(connection, SWEEP_BATCH) == SWEEP_BATCH:
            pass
