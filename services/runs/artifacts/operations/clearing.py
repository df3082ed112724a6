"""Deleting what nobody can reach any more, and what has had its time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from services.runs.artifacts import rules, store
from services.runs.artifacts.operations.keeping import Store
from services.runs.settings import RunsSettings
from shared.db import Connection, Database
from shared.log import get_logger

LATEST_WRITER: Final = 3 * 86_400.0
"""Seconds after which nobody can still be writing to a folder that was let go: the longest run."""

log = get_logger()


async def drop(connection: Connection, org_id: str, run_id: str) -> None:
    """Let a run's artifacts go in the transaction that deletes it; ``delete_run`` after it."""
    await store.drop(connection, org_id, run_id)


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Let an organization's artifacts go; the next sweep deletes them."""
    await store.drop_all(connection, org_id)


def sweep_of(resources: Mapping[type, Any]) -> Callable[[Database], Awaitable[None]]:
    """Make the hourly clean-up of a process."""

    async def clean_up(database: Database) -> None:
        await sweep(database, resources[Store], resources[RunsSettings].artifact_days)

    return clean_up


async def sweep(database: Database, files: Store, days: int) -> None:
    """Delete, for all tenants, what was let go, and shots, traces and downloads that are old.

    Args:
        database: the service's.
        files: where they are.
        days: for which they are kept; reports stay as long as their run.
    """
    deleted = await _delete_dropped(database, files)
    cleared = await _clear_old(database, files, days)
    if deleted or cleared:
        log.info("artifacts deleted", runs=deleted, cleared=cleared)


async def _delete_dropped(database: Database, files: Store) -> int:
    deleted = skipped = 0
    while True:
        async with database.connection() as connection:
            found = await store.dropped(connection, skipped)
        for one in found:
            await files.files.delete_folder(one.run_id)
            async with database.statement() as connection:
                is_gone = await store.forget(connection, one.org_id, one.run_id, LATEST_WRITER)
            # A worker that did not hear of it may still write, so the row stays for a while.
            skipped += not is_gone
            deleted += is_gone
        if len(found) < store.SWEEP_SIZE:
            return deleted


async def _clear_old(database: Database, files: Store, days: int) -> int:
    cleared = 0
    while True:
        async with database.connection() as connection:
            found = await store.old(connection, days)
        for one in found:
            await files.files.delete_folder(one.run_id, keep=rules.REPORTS)
            async with database.statement() as connection:
                await store.set_cleared(connection, one.org_id, one.run_id)
        cleared += len(found)
        if len(found) < store.SWEEP_SIZE:
            return cleared
