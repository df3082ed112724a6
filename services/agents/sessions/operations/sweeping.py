"""What happens to sessions that were deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.agents.sessions.store import changing as store
from shared.db import Database

KEPT: Final = timedelta(days=30)
"""How long a deleted session is kept, for whoever must look what happened."""

SWEPT: Final = 100
"""Sessions dropped in one statement, each with all its messages."""


async def sweep(database: Database) -> None:
    """Drop sessions that were deleted longer ago than they are kept."""
    found = SWEPT
    while found == SWEPT:
        async with database.connection() as connection:
            found = await store.delete_older(connection, KEPT, SWEPT)
