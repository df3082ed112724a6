"""Objects that are kept exactly when a transaction says so, whatever crashes in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from services.learnings.files import store
from shared.db import Connection, Database
from shared.errors import Conflict, ServiceError
from shared.ids import new_id
from shared.object_store import FileStore

AGE: Final = 7200.0
"""Seconds after which an object that nobody keeps is swept: longer than any upload takes."""


class Upload:
    """An object that is being written; ``key`` is its own and nobody else's."""

    def __init__(self, org_id: str, key: str) -> None:
        self.org_id = org_id
        self.key = key
        self.may_be_kept = False

    async def keep(self, connection: Connection) -> None:
        """Keep it, in the transaction that makes it reachable.

        Raises:
            Conflict: it took so long that it was swept.
        """
        self.may_be_kept = True
        if not await store.keep(connection, self.org_id, self.key):
            raise Conflict("The upload took too long")


@asynccontextmanager
async def uploading(
    database: Database, files: FileStore, folder: str, org_id: str = ""
) -> AsyncIterator[Upload]:
    """Note a fresh object, and delete it at the end unless it was kept.

    Args:
        database: the service's.
        files: where the object goes.
        folder: below which its key stands.
        org_id: whose it is; empty for the installation's.
    """
    upload = Upload(org_id, f"{folder}/{new_id('', 24)}")
    async with database.statement() as connection:
        await store.note(connection, org_id, upload.key)
    try:
        yield upload
    finally:
        # Whether a transaction held that broke at its end only the database knows: so the sweep
        # decides about what might be kept.
        if not upload.may_be_kept:
            await delete(database, files, org_id, [upload.key])


async def drop(connection: Connection, org_id: str, keys: Sequence[str]) -> None:
    """Let objects go in the transaction that makes them unreachable; ``delete`` them after it."""
    await store.drop(connection, org_id, keys)


async def drop_all(connection: Connection, org_id: str) -> None:
    """Let all objects of an organization go; the sweep deletes them."""
    await store.drop_all(connection, org_id)


async def delete(database: Database, files: FileStore, org_id: str, keys: Sequence[str]) -> None:
    """Delete objects that were let go; what fails is left to the sweep."""
    for key in keys:
        try:
            await files.delete(key)
            async with database.statement() as connection:
                await store.forget(connection, org_id, key)
        except ServiceError:
            return


async def sweep(database: Database, files: FileStore) -> int:
    """Delete what nobody keeps, for all tenants; give how many objects that were."""
    async with database.connection() as connection:
        found = await store.dropped(connection, AGE)
    for one in found:
        await files.delete(one.key)
        async with database.statement() as connection:
            await store.forget(connection, one.org_id, one.key)
    return len(found)
