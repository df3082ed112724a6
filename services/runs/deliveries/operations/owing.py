"""Writing down what is owed, and forgetting it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import uuid4

from services.runs.deliveries import rules, store
from services.runs.deliveries.models import PREFIX
from services.runs.integrations import operations as integrations
from services.runs.runs.models import RunRow
from services.runs.settings import RunsSettings
from shared.db import Connection, Database
from shared.vault import Vault

KEPT_DAYS: Final = 1
SWEPT: Final = 5_000
"""Rows that one statement deletes."""

Owe = Callable[[Connection, RunRow, Mapping[str, Any] | None], Awaitable[None]]


def owing(settings: RunsSettings, vault: Vault) -> Owe:
    """Make the step of a run's end that writes down whom to tell of it.

    Args:
        settings: of this process.
        vault: opens stored credentials.
    """

    async def owe(
        connection: Connection, run: RunRow, report: Mapping[str, Any] | None = None
    ) -> None:
        """Owe every channel of the organization a word about a run, if it is to be told of.

        What is said is made of the stored report when it is sent.
        """
        if run.trigger != rules.SCHEDULED:
            return
        held = await integrations.values(connection, vault, settings, run.org_id)
        if rules.is_told(run.trigger, run.status, held.get("NOTIFY_ON", "")):
            channels = integrations.configured(held)
            owed = [(f"{PREFIX}{uuid4().hex}", channel) for channel in channels]
            await store.add(connection, run.org_id, run.id, owed)

    return owe


async def sweep(database: Database) -> None:
    """Delete what was delivered or dropped a day ago."""
    while True:
        async with database.transaction() as connection:
            if await store.sweep(connection, KEPT_DAYS, SWEPT) < SWEPT:
                return


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Delete all that is owed to an organization."""
    await store.forget(connection, org_id)
