"""What is forgotten of runs with an account or an organization."""

from __future__ import annotations

from typing import Final

from services.runs.runs.store import working as store
from shared.bus import outbox
from shared.contracts.runs import RunProgressed
from shared.db import Connection

BATCH: Final = 200
"""Runs that one statement deletes, each with all its events."""


async def forget_account(connection: Connection, account_id: str) -> None:
    """Take a person's name off the runs that they asked for."""
    await store.forget_starter(connection, account_id)
    await store.delete_answers_to(connection, account_id)


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Delete all runs of an organization; those under way end when their workers see it."""
    while gone := await store.delete_some(connection, org_id, BATCH):
        told = [RunProgressed(org_id=org_id, run_id=run_id) for run_id in gone]
        await outbox.add_all(connection, told)
    await store.delete_answers_in(connection, org_id)
