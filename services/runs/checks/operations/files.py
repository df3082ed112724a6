"""Baselines' pictures in the object store: noted before they are written, deleted when due."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from services.runs.artifacts.operations import Store
from services.runs.checks import store
from shared.db import Connection, Database
from shared.ids import new_id
from shared.log import get_logger

SWEPT: Final = 500
"""Files that one sweep deletes."""

log = get_logger()


async def write(database: Database, files: Store, org_id: str, content: bytes) -> str:
    """Write a picture, and give its key. It is deleted after an hour unless it is kept."""
    key = f"checks/{org_id}/{new_id('pic')}.png"
    async with database.transaction() as connection:
        await store.announce_file(connection, org_id, key)
    await files.put_object(key, content)
    return key


async def sweep(database: Database, files: Store) -> None:
    """Delete the files that are due."""
    async with database.connection() as connection:
        due = await store.due_files(connection, SWEPT)
    for org_id, key in due:
        await files.delete_object(key)
        async with database.transaction() as connection:
            await store.forget_file(connection, org_id, key)
    if due:
        log.info("pictures deleted", files=len(due))


def sweep_of(resources: Mapping[type, Any]) -> Callable[[Database], Awaitable[None]]:
    """Give the hourly clean-up."""
    files: Store = resources[Store]

    async def clean_up(database: Database) -> None:
        await sweep(database, files)

    return clean_up


async def forget_account(connection: Connection, account_id: str) -> None:
    """Let no baseline name an account."""
    await store.forget_account(connection, account_id)


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Delete an organization's baselines; the next sweep deletes their files."""
    await store.delete_all(connection, org_id)
