"""Dropping device logins that nobody can use any more."""

from __future__ import annotations

from typing import Final

from services.auth.device_logins import store
from shared.db import Database

BATCH: Final = 10_000


async def sweep(database: Database) -> None:
    """Drop device logins that expired an hour ago or longer."""
    async with database.connection() as connection:
        while await store.delete_expired(connection, BATCH) == BATCH:
            pass
