"""Checking the caller's session again, in the transaction that makes something lasting.

The gateway may believe in a session for a moment after it was ended. What is over with it does no
harm by that; a key, a second factor, a linked machine or a new member would stay.
"""

from __future__ import annotations

from services.auth.live_sessions import store
from shared.db import Connection
from shared.errors import Unauthenticated
from shared.principal import Kind, Principal


async def require_live(connection: Connection, principal: Principal) -> None:
    """Check that the session by which a person calls has not been ended.

    Ending it waits for the caller's transaction, so that one of the two comes first.

    Raises:
        Unauthenticated: it has.
    """
    if principal.kind is Kind.USER and not await store.lock(
        connection, principal.org, principal.account, principal.session
    ):
        raise Unauthenticated
