"""Use cases of browsers' sessions: signed in by a cookie, on pages and account routes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from services.auth.accounts import operations as accounts
from services.auth.audit_events.models import Origin
from services.auth.sessions.models import Lives, SessionCheck
from services.auth.sessions.operations import Desk, SessionChecks, open_session
from services.auth.sessions.operations import check as check_session
from services.auth.web_sessions import rules, store
from services.auth.web_sessions.models import (
    CookieVerdict,
    NewCookie,
    PersonQuestion,
    PersonVerdict,
    WebSession,
)
from services.auth.web_sessions.rules import (
    HOME,
    challenge_in,
    clear_cookie,
    local_path,
    set_challenge,
    set_cookie,
)
from shared.db import Connection, Database
from shared.errors import Unauthenticated
from shared.origins import check_origin
from shared.principal import Kind, Principal, Role
from shared.secret import encode_base64url
from shared.tokens import InvalidToken, verify

REMEMBERED: Final = timedelta(days=14)
UNREMEMBERED: Final = timedelta(hours=24)
REISSUED_AFTER: Final = timedelta(days=7)
"""Teams contract, section 8."""

LONGEST_SESSION: Final = timedelta(days=180)

__all__ = [
    "HOME",
    "challenge_in",
    "clear_cookie",
    "local_path",
    "set_challenge",
    "set_cookie",
]


async def open_for(
    connection: Connection, desk: Desk, account_id: str, origin: Origin, *, remember: bool
) -> NewCookie:
    """Sign a browser in for somebody who has proved who they are.

    Raises:
        Forbidden: the person belongs nowhere.
    """
    life = REMEMBERED if remember else UNREMEMBERED
    opened = await open_session(
        connection, desk, account_id, origin, Lives(access=life, session=life), "web"
    )
    value = encode_base64url(secrets.token_bytes(32))
    await store.insert(connection, rules.digest(value), account_id, opened.session_id, remember)
    return NewCookie(value, int(life.total_seconds()) if remember else None)


async def find(
    database: Database, headers: Mapping[str, str], public_url: str
) -> WebSession | None:
    """Find who a browser is signed in as, or None."""
    value = rules.value_in(headers, public_url)
    return None if value is None else await find_by_value(database, value)


async def find_by_value(database: Database, value: str) -> WebSession | None:
    """Find who the value of a session cookie signs in, or None."""
    async with database.connection() as connection:
        row = await store.find(connection, rules.digest(value))
        if row is None:
            return None
        if row["use_unnoted"]:
            await store.note_use(connection, row["org_id"], row["account_id"], row["session_id"])
    role = Role.PLATFORM_ADMIN if row["platform_admin"] else row["role"]
    account = row["account_id"]
    principal = Principal(
        Kind.USER, account, row["org_id"], role, ("*",), row["session_id"], account
    )
    return WebSession(principal, row["email"], row["name"], row["remembered"], row["created_at"])


async def person_of(
    database: Database, principal: Principal, headers: Mapping[str, str], public_url: str
) -> Principal:
    """Give the person who calls an account route: by bearer token, else by the browser's cookie.

    Raises:
        Unauthenticated: neither; ``authentication required`` in the surface's words.
    """
    if principal.kind is Kind.USER:
        return principal
    if principal.is_anonymous:
        found = await find(database, headers, public_url)
        if found is not None:
            return found.principal
    raise Unauthenticated("authentication required", code="no_session")


async def changer_of(
    database: Database, principal: Principal, headers: Mapping[str, str], public_url: str
) -> Principal:
    """Give the person who changes something over an account route; see ``person_of``.

    Raises:
        Unauthenticated: nobody is signed in.
        Forbidden: a browser sent its cookie along with a request of another site.
    """
    person = await person_of(database, principal, headers, public_url)
    if principal.is_anonymous:
        check_origin(headers, public_url)
    return person


async def renewed(
    database: Database, session: WebSession, headers: Mapping[str, str], public_url: str
) -> NewCookie | None:
    """Give a browser a new cookie for the same session once its old one is a week old.

    The session lives on with it, half a year at most. The old cookie holds for a minute more,
    because other requests of the browser may be under way with it.
    """
    value = rules.value_in(headers, public_url)
    if value is None or datetime.now(UTC) - session.created_at < REISSUED_AFTER:
        return None
    person, life = session.principal, REMEMBERED if session.remembered else UNREMEMBERED
    fresh = encode_base64url(secrets.token_bytes(32))
    async with database.transaction() as connection:
        if not await store.replace(connection, rules.digest(value)):
            return None
        await store.insert(
            connection, rules.digest(fresh), person.account, person.session, session.remembered
        )
        await store.prolong(
            connection, person.org, person.account, person.session, life, LONGEST_SESSION
        )
    return NewCookie(fresh, int(life.total_seconds()) if session.remembered else None)


async def check(database: Database, cookies: str, public_url: str) -> CookieVerdict:
    """Tell a sibling service who is signed in by a browser's ``Cookie`` header."""
    session = await find(database, {"cookie": cookies}, public_url)
    if session is None:
        return CookieVerdict(active=False)
    person = session.principal
    return CookieVerdict(
        active=True,
        account_id=person.account,
        session_id=person.session,
        org_id=person.org,
        role=person.role,
        email=session.email,
        name=session.name,
    )


async def check_person(desk: Desk, others: SessionChecks, asked: PersonQuestion) -> PersonVerdict:
    """Tell a sibling service which person sends a request that a machine has signed.

    An access token that is shown must hold; the cookie is looked at where there is none.
    """
    if not asked.authorization:
        found = await check(desk.database, asked.cookie, desk.issuer)
        return PersonVerdict(**found.model_dump(), by_cookie=found.active)
    scheme, _, token = asked.authorization.partition(" ")
    if scheme.lower() != "bearer":
        return PersonVerdict(active=False)
    try:
        claims = verify(token.strip(), desk.keys.verify_keys(), desk.issuer, time.time())
    except InvalidToken:
        return PersonVerdict(active=False)
    session = SessionCheck(session_id=claims.sid, account_id=claims.sub, org_id=claims.org)
    verdict = await check_session(desk.database, others, session)
    async with desk.database.connection() as connection:
        account = await accounts.find(connection, claims.sub)
    if not verdict.active or verdict.kind != Kind.USER or account is None:
        return PersonVerdict(active=False)
    return PersonVerdict(
        active=True,
        account_id=account.id,
        session_id=claims.sid,
        org_id=claims.org,
        role=verdict.role,
        email=account.email,
        name=account.name,
    )
