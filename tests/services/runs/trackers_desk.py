"""An organization whose runs fail, and clerks that file that with small trackers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from services.runs.artifacts.operations import Store
from services.runs.runs import operations
from services.runs.runs.models import Finished, Status
from services.runs.settings import RunsSettings
from services.runs.trackers.operations import Clerk
from services.runs.workers.operations import Closing
from shared.db import Database
from shared.fetch import Fetcher
from shared.principal import Principal
from shared.targets import TargetPolicy
from shared.vault import Vault
from tests.services.runs.conftest import Runs, new_org
from tests.services.runs.reports_support import case, report
from tests.services.runs.runs_support import queue, read, until
from tests.services.runs.suite_texts import suite_text
from tests.services.runs.trackers_support import (
    GITHUB_TOKEN,
    GITLAB_TOKEN,
    JIRA_TOKEN,
    MAIL,
    Remote,
)
from tests.support.postgres import DatabaseUrls


@dataclass
class Desk:
    """A new organization with one suite, and trackers.

    Attributes:
        remotes: by provider; empty ones of this test.
    """

    runs: Runs
    urls: DatabaseUrls
    remotes: dict[str, Remote]
    member: Principal = field(init=False)

    async def begin(self) -> None:
        """Add the suite, and empty the trackers."""
        self.member = self.runs.member(new_org(), role="admin")
        text = suite_text("checkout")
        await self.runs.add_suite(self.org, text=text, suite_id="checkout")
        await self.runs.sql.execute("DELETE FROM runs.tracker_filing")
        for remote in self.remotes.values():
            remote.empty()

    @property
    def org(self) -> str:
        return self.member.org

    def settings(self) -> RunsSettings:
        """Settings by which GitHub is the small one."""
        found: RunsSettings = self.runs.resources[RunsSettings]
        return found.model_copy(update={"github_api_url": self.remotes["github"].base})

    async def configure(self, *providers: str, **values: str) -> None:
        """Store the credentials of some providers, and other settings."""
        each = {
            "github": {"GITHUB_TOKEN": GITHUB_TOKEN, "GITHUB_REPO": "acme/shop"},
            "gitlab": {
                "GITLAB_TOKEN": GITLAB_TOKEN,
                "GITLAB_PROJECT": "acme%2Fshop",
                "GITLAB_URL": self.remotes["gitlab"].base,
            },
            "jira": {
                "JIRA_BASE": self.remotes["jira"].base,
                "JIRA_EMAIL": MAIL,
                "JIRA_TOKEN": JIRA_TOKEN,
                "JIRA_PROJECT": "WEB",
            },
        }
        body = {name: text for one in providers for name, text in each[one].items()} | values
        answer = await self.runs.put("settings", self.member, body)
        assert answer.status_code == 200, answer.text

    async def fails(self, *cases: dict[str, Any], **body: Any) -> str:
        """Let a run fail as a worker's run does, and give its id."""
        run_id = await queue(self.runs, self.member, **body)
        settings, database = self.settings(), self.runs.database
        vault = Vault(settings.key_for_secrets())
        (order,) = await operations.claim(database, "wrk_one", 1, 60)
        assert order.run.id == run_id
        made = report(*(cases or (case(),)), run_id=run_id)
        installed = (await self.shown_settings()).get("FILE_ISSUES") or ""
        ended = Closing(settings, vault)
        finished = Finished(Status.FAILED, made)
        run, _ = await operations.finish(database, order.held, finished, installed, ended=ended)
        assert run.status is Status.FAILED
        return run_id

    async def shown_settings(self) -> dict[str, Any]:
        """Give what the API shows of the settings."""
        return dict((await self.runs.get("settings", self.member)).json())

    @asynccontextmanager
    async def filing(
        self, clerks: int = 1, *, lag_s: float = 0.0, private: bool = True
    ) -> AsyncIterator[list[Clerk]]:
        """Let clerks work, each with a database of its own, until the context is left."""
        settings = self.settings()
        policy = TargetPolicy(private, (), ())
        async with AsyncExitStack() as stack:
            fetcher = await stack.enter_async_context(Fetcher.opened(policy))
            made = []
            for _ in range(clerks):
                database = await Database.connect(self.urls.url("runs"), size=3)
                stack.push_async_callback(database.close)
                vault = Vault(settings.key_for_secrets())
                put = self.runs.resources[Store].put
                clerk = Clerk(database, settings, vault, fetcher, put, lag_s=lag_s)
                made.append(await stack.enter_async_context(clerk))
            yield made

    async def done(self, *reasons: str) -> list[str]:
        """Wait until nothing is owed any more; give why things were given up."""

        async def nothing() -> bool:
            return not await self.owed("done_at IS NULL")

        await until(nothing, "something is still owed")
        return [row["reason"] for row in await self.owed("reason <> ''")]

    async def owed(self, where: str = "true") -> list[Any]:
        """Give rows of what the organization's trackers are owed."""
        return list(
            await self.runs.sql.fetch(
                f"""
                SELECT *, extract(epoch FROM due_at - clock_timestamp()) AS waits
                  FROM runs.tracker_filing WHERE org_id = $1 AND {where} ORDER BY position
                """,  # noqa: S608 - of the tests
                self.org,
            )
        )

    async def failed(self) -> Any:
        """Wait until an attempt failed, and give its row."""

        async def there() -> Any:
            return await self.owed("reason <> '' AND done_at IS NULL")

        return (await until(there, "no attempt failed"))[0]

    async def hurry(self, clerk: Clerk) -> None:
        """Let what waits be due now."""
        await self.runs.sql.execute(
            "UPDATE runs.tracker_filing SET due_at = clock_timestamp() WHERE org_id = $1", self.org
        )
        clerk.bell.set()

    async def filed(self, run_id: str) -> list[dict[str, Any]]:
        """Give what a run's report says was filed with trackers."""
        run = await read(self.runs, self.member, run_id)
        return [one for one in run["report"]["issues_filed"] if one["provider"] != "tripwire"]

    async def issue(self, key: str = "TW-1") -> dict[str, Any]:
        """Give an issue of the board."""
        answer = await self.runs.get(f"issues/{key}", self.member)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())
