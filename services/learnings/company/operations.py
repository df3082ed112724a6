"""Learnings that all organizations share (learnings contract, sections 5.1 and 6.1).

A platform administrator gives a learning the tier ``company``. Its copy, without a word of who
wrote it, goes into every other organization's feed, and follows: edits, retirement, withdrawal. It
is in no search and no list but its own organization's.
"""

from __future__ import annotations

from typing import Final

from services.learnings.company import store
from shared.db import Connection, Database
from shared.ids import new_id

_SWEEP_BATCH: Final = 500


async def follow(connection: Connection, org_id: str, learning_id: str) -> None:
    """Bring the copy of a learning up to date; of one that was never shared there is none.

    Looks at the learning as it is now, whatever the news said: so news may come twice, late, or
    in any order. Runs in the transaction of the inbox.
    """
    if not await store.concerns(connection, org_id, learning_id):
        return
    sequence = await store.lock(connection) + 1
    feed_id = new_id("C-")
    if await store.copy(connection, org_id, learning_id, feed_id, sequence) or await store.withdraw(
        connection, org_id, learning_id, sequence
    ):
        await store.count_to(connection, sequence)


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Take back what an organization shared, and forget whose it was.

    To be called last in the transaction that deletes its learnings: from then on until the commit
    nobody can share anything.
    """
    sequence = await store.lock(connection)
    taken = await store.forget(connection, org_id, sequence)
    if taken:
        await store.count_to(connection, sequence + taken)


async def sweep(database: Database) -> int:
    """Bring copies up to date whose news got lost; give how many."""
    async with database.connection() as connection:
        found = await store.astray(connection, _SWEEP_BATCH)
    for org_id, learning_id in found:
        async with database.transaction() as connection:
            await follow(connection, org_id, learning_id)
    return len(found)
