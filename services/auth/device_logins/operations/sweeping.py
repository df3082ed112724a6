"""Dropping device logins that nobody can use any more."""

from __future__ import annotations

from typing import Final

from services.auth.device_logins import store
from shared.db import Connection, Database

BATCH: Final = 10_000


async def sweep(database: Database) -> None:
    """Drop device logins that expired an hour ago or longer."""
    async with database.connection() as connection:
        while await store.delete_expired(connection, BATCH) == BATCH:
            pass


async def void(connection: Connection, account_id: str) -> None:
    """Void what a person approved and no device has collected, in the caller's transaction."""
    await store.delete_approved(connection, account_id)
