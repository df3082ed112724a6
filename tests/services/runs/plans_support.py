"""Plans under test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import tzinfo
from typing import Any

from services.runs.plans.operations import Scheduler
from services.runs.runs.operations import Endings
from shared.db import Database
from shared.principal import Principal
from shared.vault import Vault
from tests.services.runs.conftest import Runs
from tests.support.postgres import DatabaseUrls

FILE = "sign-up.tripwire.yaml"
TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'runs'"


async def save(runs: Runs, member: Principal, *suites: str, **body: Any) -> dict[str, Any]:
    """Save a plan of some suites, and give it."""
    items = [{"suite": suite} for suite in suites or (FILE,)]
    answer = await runs.post("plans", member, {"name": "Nightly", "items": items, **body})
    assert answer.status_code == 200, answer.text
    plan: dict[str, Any] = answer.json()
    return plan


async def start(runs: Runs, member: Principal, plan: dict[str, Any], **more: Any) -> list[str]:
    """Run a plan, and give the ids of its runs."""
    answer = await runs.post(f"plans/{plan['id']}/run", member, **more)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"run_ids"}
    found: list[str] = answer.json()["run_ids"]
    return found


async def shown(runs: Runs, member: Principal, plan: dict[str, Any]) -> dict[str, Any]:
    """Read a plan."""
    answer = await runs.get(f"plans/{plan['id']}", member)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def runs_of(runs: Runs, member: Principal, plan: dict[str, Any]) -> list[dict[str, Any]]:
    """List the runs of a plan, the oldest first."""
    answer = await runs.get("runs", member, params={"plan_id": plan["id"]})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found[::-1]


async def everything(runs: Runs) -> str:
    """Give all that stands in the service's tables as text, bytes as they are."""
    found = []
    for row in await runs.sql.fetch(TABLES):
        table = row["table_name"]
        for each in await runs.sql.fetch(f"SELECT * FROM runs.{table}"):  # noqa: S608
            found += [
                value.decode("latin-1") if isinstance(value, bytes) else str(value)
                for value in each.values()
            ]
    return "\n".join(found)


async def make_due(runs: Runs, plan: dict[str, Any], seconds: float = 1) -> None:
    """Let a plan's boundary have come so many seconds ago."""
    await runs.sql.execute(
        "UPDATE runs.plan SET next_run = clock_timestamp() - make_interval(secs => $2)"
        " WHERE id = $1",
        plan["id"],
        seconds,
    )


@asynccontextmanager
async def schedulers(
    runs: Runs, urls: DatabaseUrls, zone: tzinfo, count: int = 1, grace_s: float = 60
) -> AsyncIterator[list[Scheduler]]:
    """Give schedulers that look when they are told to, each with a database of its own."""
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            database = await Database.connect(urls.url("runs"), size=4)
            stack.push_async_callback(database.close)
            resources = runs.resources
            found.append(Scheduler(database, resources[Vault], resources[Endings], zone, grace_s))
        yield found
