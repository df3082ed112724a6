"""Use cases of refresh tokens: giving one out, using one up.

Each token is good once. For a moment after, it gives a further one, because two tabs of a browser
renew with the same token; shown later, it says that somebody has a copy, and the session ends
(RFC 9700, section 4.14.2). Whoever uses a token holds the session's row, so that uses and the end
of a session come one after the other.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final

from services.auth.refresh_tokens import rules, store
from services.auth.refresh_tokens.models import Family, Use
from shared.db import Connection, Database

GRACE: Final = timedelta(seconds=15)
SWEEP_BATCH: Final = 10_000


async def issue(connection: Connection, family: Family, expires_at: datetime) -> str:
    """Make a refresh token for a session; it is shown only now."""
    token = rules.token_of(secrets.token_bytes(32))
    await store.insert(connection, rules.digest(token), family, expires_at)
    return token


async def find_family(connection: Connection, token: str) -> Family | None:
    """Find the session that a refresh token renews, whether or not it still does."""
    return await store.find_family(connection, rules.digest(token))


async def use(connection: Connection, token: str) -> Use:
    """Use a refresh token; the caller holds the session's row and knows that it lives."""
    return await store.use(connection, rules.digest(token), GRACE) or Use.EXPIRED


async def sweep(database: Database) -> None:
    """Drop tokens that expired long ago."""
    async with database.connection() as connection:
        while await store.delete_expired(connection, SWEEP_BATCH) == SWEEP_BATCH:
            pass
