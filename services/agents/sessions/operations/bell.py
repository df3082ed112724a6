"""How whoever adds work wakes those who do it, once it is committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.db import Connection, Database


class Bell:
    """Rung in this process after commits that add work; other processes hear of them by events."""

    def __init__(self) -> None:
        self.rung = asyncio.Event()

    @asynccontextmanager
    async def ringing(self, database: Database) -> AsyncIterator[Connection]:
        """Lend a connection in a transaction, and ring when that is committed.

        Raises:
            Unavailable: the database is away.
        """
        async with database.transaction() as connection:
            yield connection
        self.rung.set()
