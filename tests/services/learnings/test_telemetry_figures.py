from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.learnings.telemetry import operations
from services.learnings.telemetry.rules.figures import percentile, rate
from shared.db import Database
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.telemetry_support import PATH, Sql, at, call, taken
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(urls.url("learnings"), size=4)
    yield database
    await database.close()


async def summary(tenant: Tenant, **query: Any) -> dict[str, Any]:
    answer = await tenant.send("GET", PATH + "/summary", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def waiting(sql: Sql, tenant: Tenant) -> int:
    found: int = await sql.fetchval(
        "SELECT count(*) FROM learnings.telemetry_batch WHERE org_id = $1", tenant.org
    )
    return found


async def fold_all(database: Database) -> None:
    while await operations.fold(database, 10):
        pass


async def some_days(tenant: Tenant) -> None:
    """Three installations over three days, sent late and in several requests."""
    for day in (0, 1, 2):
        for installation in range(day + 1):
            await taken(
                tenant,
                *[
                    call(
                        ts=at(-86_400 * day - 0.001 * number),
                        installation_id=f"inst-{installation}",
                        session_id=f"ses-{installation}-{day // 2}",
                        tool_name="edit" if number % 2 else "read",
                        duration_ms=100.0 if number % 2 else 10.0,
                        success=number != 3,
                        status=...,
                        outcome=...,
                        input_tokens=10,
                        output_tokens=1,
                        cost_usd=0.5,
                    )
                    for number in range(4)
                ],
                {"event_type": "session_start", "ts": at(-86_400 * day), "session_id": "ses-0-0"},
            )


def check_some_days(found: dict[str, Any]) -> None:
    totals = found["totals"]
    assert totals["events"] == 6 * 5
    assert totals["errors"] == 6
    assert totals["error_rate"] == 0.25
    assert totals["active_installations"] == 4, "the three, and the person"
    # Two of the first installation, two of the second, one of the third, one of the person.
    assert totals["sessions"] == 6
    assert (totals["input_tokens"], totals["output_tokens"]) == (240, 24)
    assert totals["cost_usd"] == 12
    assert [(tool["tool"], tool["calls"], tool["errors"]) for tool in found["tools"]] == [
        ("edit", 12, 6),
        ("read", 12, 0),
    ]
    edit = found["tools"][0]
    assert (edit["error_rate"], edit["mean_duration_ms"]) == (0.5, 100)
    assert 80 < edit["p50_duration_ms"] < edit["p95_duration_ms"] < 130
    by_day = [(day["events"], day["calls"], day["active_installations"]) for day in found["by_day"]]
    assert by_day == [(0, 0, 0)] * 4 + [(15, 12, 4), (10, 8, 3), (5, 4, 2)]


async def test_figures_are_there_at_once_and_the_same_afterwards(
    tenant: Tenant, stranger: Tenant, database: Database, sql: Sql
) -> None:
    await some_days(tenant)
    await taken(stranger, call())
    before = await summary(tenant)
    check_some_days(before)
    assert await waiting(sql, tenant) == 6
    await operations.fold(database, 3)
    check_some_days(await summary(tenant))
    await fold_all(database)
    assert await waiting(sql, tenant) == 0
    assert await summary(tenant) == before
    await taken(tenant, call(ts=at(-86_400), installation_id="inst-0", session_id="ses-0-0"))
    late = await summary(tenant)
    assert (late["totals"]["events"], late["totals"]["sessions"]) == (31, 6)
    await fold_all(database)
    assert await summary(tenant) == late


async def test_filters(tenant: Tenant, database: Database) -> None:
    await some_days(tenant)
    for _ in range(2):
        one = await summary(tenant, installation_id="inst-1")
        assert (one["totals"]["events"], one["totals"]["active_installations"]) == (8, 1)
        assert [tool["calls"] for tool in one["tools"]] == [4, 4]
        assert one["totals"]["sessions"] == 2
        tool = await summary(tenant, tool="read")
        assert (tool["totals"]["events"], tool["totals"]["errors"]) == (12, 0)
        assert [found["tool"] for found in tool["tools"]] == ["read"]
        today = await summary(tenant, days=1)
        assert today["totals"]["events"] == 5
        assert [day["day"] for day in today["by_day"]] == [today["last_day"]]
        assert (await summary(tenant, tool="none"))["totals"]["events"] == 0
        await fold_all(database)


@pytest.mark.parametrize("query", [{"days": 0}, {"days": 91}, {"days": "x"}, {"tool": "a\0"}])
async def test_bad_queries_are_422(tenant: Tenant, query: dict[str, Any]) -> None:
    answer = await tenant.send("GET", PATH + "/summary", params=query)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", next(iter(query))]


async def test_an_empty_organization_has_zeros(tenant: Tenant) -> None:
    found = await summary(tenant, days=90)
    assert found["totals"]["events"] == found["totals"]["sessions"] == 0
    assert (found["tools"], len(found["by_day"])) == ([], 90)


async def test_processes_that_fold_at_once_count_each_event_once(
    tenant: Tenant, database: Database, sql: Sql
) -> None:
    batches = [[call(installation_id=f"inst-{n}") for _ in range(5)] for n in range(30)]

    async def folding() -> None:
        for _ in range(10):
            await operations.fold(database, 2)

    await asyncio.gather(
        *(taken(tenant, *batch) for batch in batches), *(folding() for _ in range(4))
    )
    await fold_all(database)
    assert await waiting(sql, tenant) == 0
    assert (await summary(tenant))["totals"]["events"] == 150
    assert (await summary(tenant, installation_id="inst-7"))["totals"]["events"] == 5


async def test_figures_outlive_the_events(tenant: Tenant, database: Database, sql: Sql) -> None:
    old = datetime.now(UTC).date() - timedelta(days=50)
    await sql.execute("SELECT learnings.make_telemetry_days($1, $1)", old)
    await taken(tenant, *[call() for _ in range(3)])
    await sql.execute(
        "UPDATE learnings.telemetry_event SET day = $2 WHERE org_id = $1", tenant.org, old
    )
    await sql.execute(
        "UPDATE learnings.telemetry_batch SET day = $2 WHERE org_id = $1", tenant.org, old
    )
    await operations.keep_days(database, 30)
    assert await days_of(sql, "telemetry_event", old) == 0
    assert (await summary(tenant))["totals"]["events"] == 3


async def days_of(sql: Sql, kind: str, *days: Any) -> int:
    names = [f"{kind}_{day:%Y%m%d}" for day in days]
    found: int = await sql.fetchval(
        "SELECT count(*) FROM pg_class WHERE relname = ANY ($1)"
        " AND relnamespace = 'learnings'::regnamespace AND relkind = 'r'",
        names,
    )
    return found


async def test_days_are_made_ahead_and_dropped_by_many_at_once(
    database: Database, sql: Sql
) -> None:
    today = datetime.now(UTC).date()
    ahead = [today + timedelta(days=number) for number in range(4)]
    before = [today - timedelta(days=number) for number in (1, 2, 29, 30)]
    for day in (*ahead, *before):
        await sql.execute("SELECT learnings.make_telemetry_days($1, $1)", day)
    await sql.execute("SELECT learnings.drop_telemetry_days('telemetry_event', $1)", ahead[-1])
    await asyncio.gather(*(operations.keep_days(database, 30) for _ in range(3)))
    assert await days_of(sql, "telemetry_event", *ahead) == 4
    for day in before:
        await sql.execute("SELECT learnings.make_telemetry_days($1, $1)", day)
    await asyncio.gather(*(operations.keep_days(database, 30) for _ in range(3)))
    assert await days_of(sql, "telemetry_seen", *ahead) == 4
    assert await days_of(sql, "telemetry_event", *before) == 3, "the 30 days that are kept"
    assert await days_of(sql, "telemetry_seen", *before) == 1, "yesterday is still asked for"


async def test_a_missing_day_is_made_by_whoever_needs_it(tenant: Tenant, sql: Sql) -> None:
    for kind in ("telemetry_event", "telemetry_seen"):
        await sql.execute("SELECT learnings.drop_telemetry_days($1, '2100-01-01')", kind)
    answers = await asyncio.gather(*(taken(tenant, call()) for _ in range(6)))
    assert answers == [(1, 0, [])] * 6
    assert (await summary(tenant))["totals"]["events"] == 6


async def test_a_forgotten_organization_leaves_nothing(
    tenant: Tenant, stranger: Tenant, database: Database, sql: Sql
) -> None:
    for one in (tenant, stranger):
        await some_days(one)
        await operations.fold(database, 3)
    async with database.transaction() as connection:
        await operations.forget_organization(connection, tenant.org)
    for table in ("batch", "event", "seen", "tool", "day", "session"):
        left = f"SELECT count(*) FROM learnings.telemetry_{table} WHERE org_id = $1"  # noqa: S608
        assert await sql.fetchval(left, tenant.org) == 0, table
    check_some_days(await summary(stranger))


def test_percentiles_come_close() -> None:
    chance = random.Random(7)
    durations = sorted(chance.lognormvariate(4, 1.2) for _ in range(5_000))
    histogram: dict[int, int] = {}
    for duration in durations:
        step = 0 if duration < 1 else min(39, 1 + math.floor(2 * math.log2(duration)))
        histogram[step] = histogram.get(step, 0) + 1
    for share in (0.5, 0.95):
        estimate = percentile(histogram, share)
        assert estimate is not None
        assert abs(estimate / durations[int(share * 5_000)] - 1) < 0.2
    assert percentile({}, 0.5) is None
    assert percentile({0: 4}, 0.5) == 0.5
    assert (rate(0, 0), rate(1, 3)) == (0, 0.333333)
