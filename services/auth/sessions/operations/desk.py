"""Signing in: by a password, by a challenge after one, by an API key."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from services.auth.accounts.models import Account
from services.auth.accounts.operations import authenticate, require_unchanged
from services.auth.api_keys import operations as api_keys
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.passwords.operations import Passwords
from services.auth.refresh_tokens.models import Family
from services.auth.refresh_tokens.operations import issue
from services.auth.sessions import rules, store
from services.auth.sessions.models import (
    SESSION_PREFIX,
    KeyCredential,
    Lives,
    Membership,
    NewSession,
    Opened,
    PasswordCredential,
    Token,
)
from services.auth.signing_keys.operations import KeyRing
from services.auth.two_factor.operations import redeem, require_code
from shared.db import Connection, Database
from shared.errors import Forbidden, Unauthenticated
from shared.ids import new_id
from shared.principal import Kind, Principal
from shared.vault import Vault

LEARNINGS: Final = Lives(access=timedelta(hours=1), session=timedelta(days=30))
"""Of the learnings surface (section 3); each renewal begins the 30 days anew."""

DAY: Final = Lives(access=timedelta(hours=24), session=timedelta(hours=24))
"""Of surfaces whose clients cannot renew a token (runs and agents contracts, sections 3)."""


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
        await require_unchanged(connection, account)
        return await open_session(connection, desk, account.id, origin, lives)


async def sign_in_by_challenge(
    desk: Desk, token: str, code: str, origin: Origin, lives: Lives
) -> Opened:
    """Open a session for the challenge that followed a right password, and the code it asks for.

    Raises:
        RateLimited: too many codes were wrong.
        Unauthenticated: the challenge does not hold, or the code is wrong.
        Forbidden: the person belongs nowhere, or may not act any more.
    """
    account_id = await redeem(desk.database, desk.vault, token, code, origin)
    async with desk.database.transaction() as connection:
        return await open_session(connection, desk, account_id, origin, lives)


async def open_session(
    connection: Connection,
    desk: Desk,
    account_id: str,
    origin: Origin,
    lives: Lives,
    kind: Literal["api", "web"] = "api",
) -> Opened:
    """Open a session for somebody who has proved who they are, in the caller's transaction.

    It comes with a refresh token where it outlives its first access token.

    Raises:
        Forbidden: the person belongs nowhere, or may not act any more.
    """
    membership = await store.find_active_membership(connection, account_id)
    if membership is None:
        raise Forbidden("This account belongs to no organization")
    session = NewSession(
        membership.org_id, new_id(SESSION_PREFIX), account_id, kind, lives.session, origin
    )
    expires_at = await store.insert(connection, session)
    await record(connection, _opened(session, membership))
    refresh_token = None
    if lives.is_renewable:
        refresh_token = await issue(connection, Family(account_id, session.id), expires_at)
    return Opened(
        session_id=session.id,
        account_id=account_id,
        org_id=membership.org_id,
        access_token=access_token(desk, session.id, account_id, membership, lives.access),
        expires_in=int(lives.access.total_seconds()),
        refresh_token=refresh_token,
    )


def _opened(session: NewSession, membership: Membership) -> AuditEvent:
    actor = Principal(
        Kind.USER, session.account_id, session.org_id, membership.role, session=session.id
    )
    return AuditEvent(
        "session.opened", session.origin, actor, target=session.id, detail={"kind": session.kind}
    )


def access_token(
    desk: Desk, session_id: str, account_id: str, membership: Membership, life: timedelta
) -> str:
    """Sign an access token of a person's session."""
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
