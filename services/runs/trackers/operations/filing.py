"""Doing one filing: find the issue by its fingerprint, then comment, else create."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from services.runs.integrations import operations as integrations
from services.runs.issues import operations as issues
from services.runs.runs.operations.reading import report_of, require
from services.runs.settings import RunsSettings
from services.runs.trackers import rules, store
from services.runs.trackers.models import (
    NAMES,
    Account,
    Kind,
    Link,
    Message,
    Outcome,
    Owed,
    Ticket,
    TrackerFailed,
)
from services.runs.trackers.operations.asking import Tracker
from services.runs.trackers.operations.github import GitHub
from services.runs.trackers.operations.gitlab import GitLab
from services.runs.trackers.operations.jira import Jira
from shared.db import Database
from shared.errors import NotFound
from shared.fetch import Fetcher
from shared.vault import Vault

TRACKERS: Final[Mapping[str, Callable[[Fetcher, Account], Tracker]]] = {
    "github": GitHub,
    "gitlab": GitLab,
    "jira": Jira,
}

WHOLE: Final = 120.0
"""Seconds for all requests of one filing together; less than its lease."""

GONE: Final = "The run was deleted."
NO_ISSUE: Final = "The issue is gone."
TOOK_LONG: Final = "It took too long."


class Filing:
    """Files what is owed; writes down nothing but that creating has begun.

    Args:
        database: the service's.
        settings: of this process.
        vault: opens stored credentials.
        fetcher: reaches only what may be reached.
        lag_s: seconds in which a tracker's search may not show what was created.
    """

    def __init__(
        self,
        database: Database,
        settings: RunsSettings,
        vault: Vault,
        fetcher: Fetcher,
        lag_s: float,
    ) -> None:
        self._database = database
        self._settings = settings
        self._vault = vault
        self._fetcher = fetcher
        self._lag_s = lag_s

    async def do(self, owed: Owed) -> Outcome:
        """File one thing, with the credentials and the texts that hold now."""
        async with self._database.connection() as connection:
            try:
                run = await require(connection, owed.org_id, owed.run_id)
            except NotFound:
                return Outcome(GONE)
            report = await report_of(connection, owed.org_id, owed.run_id)
            telling = await issues.tell(
                connection,
                owed.org_id,
                owed.number,
                run_id=owed.run_id,
                case_id=owed.case_id,
                report=report,
            )
            held = await integrations.values(connection, self._vault, self._settings, owed.org_id)
            account = rules.account_of(owed.provider, held, self._settings.github_api_url)
            if telling is None:
                return Outcome(NO_ISSUE)
            if account is None:
                return Outcome(f"{NAMES[owed.provider]} is not configured any more")
            link = await store.read_link(connection, owed, account.place)
        run_url = self._settings.run_url(run.id)
        message = rules.message_of(telling, run, report, self._settings.public_url, run_url)
        tracker = TRACKERS[owed.provider](self._fetcher, account)
        try:
            async with asyncio.timeout(WHOLE):
                ticket, is_new = await self._mirror(owed, account.place, tracker, message, link)
        except TimeoutError:
            return rules.outcome_of_failure(owed.attempt, TrackerFailed(TOOK_LONG, Kind.LATER))
        except TrackerFailed as failed:
            return rules.outcome_of_failure(owed.attempt, failed)
        return Outcome(ticket=ticket, place=account.place, is_new=is_new)

    async def _mirror(
        self, owed: Owed, place: str, tracker: Tracker, message: Message, link: Link
    ) -> tuple[Ticket, bool]:
        """Give where it was filed, and whether that is new."""
        ticket = await tracker.read(link.key) if link.key else None
        ticket = ticket or await tracker.find(message)
        if ticket is None:
            return await self._create(owed, place, tracker, message, link), True
        if message.run_id in ticket.text:
            return ticket, True  # of an attempt that was broken off before it was written down
        if owed.attempt == 1 or not await tracker.has_comment(ticket.key, message.run_id):
            await tracker.comment(ticket.key, message.comment)
        if ticket.is_closed:
            await tracker.reopen(ticket.key)
        return ticket, False

    async def _create(
        self, owed: Owed, place: str, tracker: Tracker, message: Message, link: Link
    ) -> Ticket:
        """Create an issue, and have written down before that this was begun.

        Raises:
            TrackerFailed: also where an earlier attempt may have created one that the tracker's
                search does not show yet.
        """
        if link.creating_s is not None and link.creating_s < self._lag_s:
            wait = self._lag_s - link.creating_s
            raise TrackerFailed("It may have been created a moment ago", Kind.LATER, wait)
        await self._begin(owed, place, is_creating=True)
        try:
            return await tracker.create(message)
        except TrackerFailed as failed:
            if not failed.is_unheard:
                await self._begin(owed, place, is_creating=False)
            raise

    async def _begin(self, owed: Owed, place: str, *, is_creating: bool) -> None:
        async with self._database.transaction() as connection:
            if not await store.hold(connection, owed):
                raise TrackerFailed("Somebody else has taken it", Kind.LATER)
            await store.write_link(connection, owed, place, "", is_creating=is_creating)
