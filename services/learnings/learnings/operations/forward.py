"""Reading all learnings of an organization, stretch by stretch."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Final

from services.learnings.learnings.store import forward as store
from shared.db import Database

MOST: Final = 500
"""Learnings of one stretch."""

SIZE: Final = 1_048_576
"""Bytes of text from which on a stretch ends."""


async def read_forward(
    database: Database, org_id: str, updated_since: datetime | None
) -> AsyncGenerator[str, None]:
    """Give all learnings, retired ones and duplicates too, by time of their making.

    JSON texts, a line each. Memory stays flat, and no connection is kept between two stretches.
    What is recorded meanwhile comes last; what is changed meanwhile comes as it was or as it is.
    """
    place: tuple[datetime, str] | None = None
    while True:
        async with database.connection() as connection:
            stretch = await store.stretch(connection, org_id, place, updated_since, MOST, SIZE)
        if stretch is None:
            return
        lines, place = stretch
        if lines:
            yield lines + "\n"
