"""What the process of a run is told to do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic_core import from_json

from services.runs.engine.grammar.environment import allowed_environment_name, environment_names
from services.runs.engine.grammar.parsing import parse
from services.runs.engine.host.models import Account, BrowserWish, Job, Targets
from services.runs.integrations import operations as integrations
from services.runs.resolutions import operations as resolutions
from services.runs.runs.models import Order
from services.runs.settings import RunsSettings
from shared.db import Database
from shared.log import get_logger
from shared.vault import Vault

log = get_logger()


class Jobs:
    """Makes jobs of claimed runs.

    Args:
        database: the service's.
        settings: of this process.
        vault: opens variables that were given with runs.
    """

    def __init__(self, database: Database, settings: RunsSettings, vault: Vault) -> None:
        self._database = database
        self._settings = settings
        self._vault = vault

    async def installed(self, org_id: str) -> str:
        """Give where an organization's failures are filed if a run does not say.

        Raises:
            Unavailable: the database is away.
        """
        return (await self.values(org_id)).get("FILE_ISSUES", "")

    async def values(self, org_id: str) -> Mapping[str, str]:
        """Give what holds for an organization (section 3.7).

        Raises:
            Unavailable: the database is away.
        """
        async with self._database.connection() as connection:
            return await integrations.values(connection, self._vault, self._settings, org_id)

    async def job(self, order: Order, text: str, scratch: Path, leash: float) -> Job:
        """Make the job of a run.

        Args:
            order: the run.
            text: its suite.
            scratch: its folder.
            leash: until when it may act; see ``Job``.

        Raises:
            Unavailable: the database is away.
        """
        run, settings = order.run, self._settings
        async with self._database.connection() as connection:
            known = await resolutions.known(connection, run.org_id, run.suite_id)
        targets = settings.targets()
        return Job(
            run_id=run.id,
            attempt=run.attempt,
            file=run.file,
            text=text,
            cases=None if run.cases is None else tuple(run.cases),
            environment=await asyncio.to_thread(_environment, text, os.environ),
            variables=self._variables(order),
            account=self._account(order),
            is_sharded=run.sharded,
            git_sha=run.git_sha or settings.git_sha,
            ci_url=run.ci_url or settings.ci_url,
            entries=known.entries,
            refused=known.refused,
            keeps=run.trigger != "ci" and settings.cache != "readonly",
            browser=BrowserWish(
                executable=settings.chromium,
                endpoint=settings.browser_endpoint,
                sandbox=settings.browser_sandbox,
                headed=run.headed or not settings.headless,
            ),
            targets=Targets(
                allow_private=targets.allow_private,
                allow=settings.url_allow,
                deny=settings.url_deny,
            ),
            has_model=settings.model_service() is not None,
            scratch=str(scratch),
            seconds=settings.run_seconds,
            leash=leash,
        )

    def _account(self, order: Order) -> Account | None:
        if order.login is None:
            return None
        try:
            return Account.model_validate_json(self._vault.open(order.login))
        except ValueError:
            log.error("test account of a run cannot be opened", run_id=order.run.id)
            return None

    def _variables(self, order: Order) -> Mapping[str, str]:
        if order.variables is None:
            return {}
        try:
            found: Mapping[str, str] = from_json(self._vault.open(order.variables))
        except ValueError:
            log.error("variables of a run cannot be opened", run_id=order.run.id)
            return {}
        return found


def _environment(text: str, given: Mapping[str, str]) -> dict[str, str]:
    """Give those variables of the machine that a suite names, and may have (section 4.1)."""
    suite = parse(text).suite
    names = environment_names(suite) if suite is not None else set()
    return {name: given[name] for name in names if name in given and allowed_environment_name(name)}
