"""Writing down what is owed to trackers, and forgetting it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from services.runs.integrations import operations as integrations
from services.runs.issues import operations as issues
from services.runs.runs.models import RunRow
from services.runs.settings import RunsSettings
from services.runs.trackers import rules, store
from shared.db import Connection, Database
from shared.vault import Vault

KEPT_DAYS: Final = 7
SWEPT: Final = 5_000
"""Rows that one statement deletes."""

Owe = Callable[[Connection, RunRow, Mapping[str, Any] | None], Awaitable[None]]


def owing(settings: RunsSettings, vault: Vault) -> Owe:
    """Make the step of a run's end that writes down what trackers are to be told of it.

    Args:
        settings: of this process.
        vault: opens stored credentials.
    """

    async def owe(
        connection: Connection, run: RunRow, report: Mapping[str, Any] | None = None
    ) -> None:
        """Owe what a run filed on the board to each tracker that is wanted and configured."""
        cases = issues.filed_in(report)
        if not cases:
            return
        held = await integrations.values(connection, vault, settings, run.org_id)
        wanted = rules.wanted(run.file_issues, held.get("FILE_ISSUES", ""))
        accounts = rules.configured(held, settings.github_api_url)
        providers = [each for each in wanted if each in accounts]
        if providers:
            await store.add(connection, run.org_id, run.id, providers, cases)

    return owe


async def sweep(database: Database) -> None:
    """Delete what was filed or given up a week ago."""
    while True:
        async with database.transaction() as connection:
            if await store.sweep(connection, KEPT_DAYS, SWEPT) < SWEPT:
                return


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Delete all that is owed for an organization, and where its issues stand elsewhere."""
    await store.forget(connection, org_id)
