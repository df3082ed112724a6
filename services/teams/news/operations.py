"""Use cases of news. Sockets read for themselves from where they stand: the bus only wakes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.teams.news import store
from services.teams.news.models import News
from services.teams.news.store import insert as add
from shared.db import Database

PAGE: Final = 50
KEPT_HOURS: Final = 1
"""News live longer than any process can lag behind; whoever joins is told the present state."""

SWEPT: Final = 5_000

__all__ = ["add", "positions", "since", "sweep"]


async def since(database: Database, team_id: str, number: int) -> Sequence[News]:
    """Give a team's news after a number, in order, at most 50."""
    async with database.connection() as connection:
        return await store.after(connection, team_id, number, PAGE)


async def positions(database: Database, team_ids: Sequence[str]) -> dict[str, int]:
    """Give the number of the newest news of each of these teams; one that was deleted is absent."""
    async with database.connection() as connection:
        return await store.positions(connection, team_ids)


async def sweep(database: Database) -> None:
    """Drop what everybody has been told."""
    dropped = SWEPT
    while dropped == SWEPT:
        async with database.transaction() as connection:
            dropped = await store.delete_old(connection, KEPT_HOURS, SWEPT)
