"""Use cases of sessions: signing in, signing out, and whether a session still holds."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

from services.auth.accounts.operations import authenticate
from services.auth.api_keys import operations as api_keys
from services.auth.api_keys.models import ID_PREFIX as KEY_PREFIX
from services.auth.passwords.operations import Passwords
from services.auth.sessions import rules, store
from services.auth.sessions.models import (
    KeyCredential,
    PasswordCredential,
    SessionCheck,
    SessionVerdict,
    Token,
)
from services.auth.signing_keys.operations import KeyRing
from shared.bus import outbox
from shared.contracts.auth import SessionRevoked
from shared.db import Database
from shared.errors import Forbidden, Unauthenticated
from shared.ids import new_id
from shared.principal import Principal

TOKEN_LIFE: Final = timedelta(hours=1)
"""Of an access token of the learnings surface (section 3)."""

SWEEP_BATCH: Final = 10_000


async def sign_in(
    database: Database,
    passwords: Passwords,
    keys: KeyRing,
    issuer: str,
    credential: PasswordCredential,
) -> Token:
    """Open a session for an address and a password.

    Raises:
        Unauthenticated: with one text for every reason.
        Forbidden: the address is not verified, or the person belongs nowhere.
    """
    account = await authenticate(database, passwords, credential.email, credential.password)
    session_id = new_id("ses_")
    async with database.transaction() as connection:
        membership = await store.find_active_membership(connection, account.id)
        if membership is None:
            raise Forbidden("This account belongs to no organization")
        await store.insert(connection, membership.org_id, session_id, account.id, TOKEN_LIFE)
    life = int(TOKEN_LIFE.total_seconds())
    now = int(time.time())
    claims = rules.claims(
        issuer,
        account.id,
        session_id,
        membership.org_id,
        rules.role_of(membership.role, account.platform_admin),
        now,
        now + life,
        new_id("jti_"),
    )
    return Token(access_token=keys.sign(claims), expires_in=life)


async def exchange_key(
    database: Database, keys: KeyRing, issuer: str, credential: KeyCredential
) -> Token:
    """Give a token for an API key: with its organization and scopes, and no longer than it lives.

    Raises:
        Unauthenticated: the key does not hold.
    """
    verdict = await api_keys.check(database, credential.key)
    if not verdict.active:
        raise Unauthenticated
    now = int(time.time())
    life = int(TOKEN_LIFE.total_seconds())
    if verdict.expires_at is not None:
        life = min(life, verdict.expires_at - now)
    if life <= 0:
        raise Unauthenticated
    claims = rules.claims(
        issuer,
        verdict.account_id,
        verdict.key_id,
        verdict.org_id,
        verdict.role,
        now,
        now + life,
        new_id("jti_"),
        verdict.scopes,
    )
    return Token(access_token=keys.sign(claims), expires_in=life)


async def sign_out(database: Database, principal: Principal) -> None:
    """End the caller's session on every surface. Says session.revoked.

    Raises:
        Forbidden: the caller has no session, because a key or machine is calling.
    """
    if not principal.session.startswith("ses_"):
        raise Forbidden("This credential has no session to end; revoke it instead")
    session_id, account_id = principal.session, principal.account
    async with database.transaction() as connection:
        if await store.end(connection, principal.org, session_id, account_id):
            event = SessionRevoked(session_id=session_id, account_id=account_id)
            await outbox.add(connection, event)


async def check(database: Database, asked: SessionCheck) -> SessionVerdict:
    """Tell whether the session of a token still holds, and with which role and scopes.

    The session of a token that was bought with an API key is that key.
    """
    if asked.session_id.startswith(KEY_PREFIX):
        key = await api_keys.check_id(database, asked.org_id, asked.session_id)
        if not key.active or key.account_id != asked.account_id:
            return SessionVerdict(active=False)
        return SessionVerdict(active=True, role=key.role, scopes=key.scopes)
    async with database.connection() as connection:
        standing = await store.find_standing(
            connection, asked.org_id, asked.session_id, asked.account_id
        )
    if standing is None:
        return SessionVerdict(active=False)
    return SessionVerdict(
        active=True,
        role=rules.role_of(standing["role"], standing["platform_admin"]),
        scopes=rules.scopes_of(standing["platform_admin"]),
    )


async def sweep(database: Database) -> None:
    """Drop sessions that expired long ago."""
    async with database.connection() as connection:
        while await store.delete_expired(connection, SWEEP_BATCH) == SWEEP_BATCH:
            pass
