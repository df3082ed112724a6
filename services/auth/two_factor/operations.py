"""Use cases of second factors."""

from __future__ import annotations

from services.auth.audit_events.models import Origin
from services.auth.sealing.operations import Vault
from shared.db import Database


async def require_code(
    database: Database, vault: Vault, account_id: str, code: str | None, origin: Origin
) -> None:
    """Check the second factor of somebody whose password was right.

    Does nothing for an account without one.

    Raises:
        Unauthenticated: a code is needed (with a ``challenge_token`` beside the message), or wrong.
        RateLimited: too many codes were wrong.
    """
