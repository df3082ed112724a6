"""Use cases of browsers' sessions: signed in by a cookie, on pages and account routes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.sessions.models import Lives
from services.auth.sessions.operations import Desk, open_session
from services.auth.web_sessions import rules, store
from services.auth.web_sessions.models import NewCookie, WebSession
from services.auth.web_sessions.rules import (
    check_origin,
    clear_cookie,
    set_cookie,
)
from shared.db import Connection, Database
from shared.errors import Unauthenticated
from shared.principal import Kind, Principal, Role
from shared.secret import encode_base64url

REMEMBERED: Final = timedelta(days=14)
UNREMEMBERED: Final = timedelta(hours=24)
REISSUED_AFTER: Final = timedelta(days=7)
"""Teams contract, section 8."""

__all__ = ["check_origin", "clear_cookie", "set_cookie"]


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
    if value is None:
        return None
    async with database.connection() as connection:
        row = await store.find(connection, rules.digest(value))
    if row is None:
        return None
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
    raise Unauthenticated("authentication required")


async def renewed(
    connection: Connection, session: WebSession, headers: Mapping[str, str], public_url: str
) -> NewCookie | None:
    """Give a browser a new cookie for the same session once its old one is a week old."""
    if datetime.now(UTC) - session.created_at < REISSUED_AFTER:
        return None
    value = rules.value_in(headers, public_url)
    fresh = encode_base64url(secrets.token_bytes(32))
    if value is None or not await store.replace(
        connection, rules.digest(value), rules.digest(fresh)
    ):
        return None
    return NewCookie(fresh, int(REMEMBERED.total_seconds()) if session.remembered else None)
