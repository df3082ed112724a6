"""Counting what came of runs, and showing it (runs contract, section 13).

Every outcome is kept beside the sums it went into. So a run that is deleted is taken out of them
again: the figures are always those of the runs that are there. What is old enough to be cleared
from the artifacts still counts, because its run is still there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from services.runs.analytics import rules
from services.runs.analytics.models import (
    SLOWEST,
    Analytics,
    AnalyticsQuery,
    Point,
    Scope,
)
from services.runs.analytics.store import figures, recording
from services.runs.analytics.store.recording import delete_all as forget_organization
from shared.db import Connection, Database
from shared.principal import Principal

__all__ = ("forget_organization",)


async def record(connection: Connection, org_id: str, *, report: Mapping[str, Any]) -> bool:
    """Count a run that ended passed, failed or broken; once, however often this is said.

    Runs in the transaction of the caller, at a run's end. Cases that were skipped or not reached do
    not count, and a run without any that does is none. Tells whether it was counted now.
    """
    run = rules.outcome_of(report)
    if run is None or not await recording.insert_run(connection, org_id, run):
        return False
    day, suite_id = run.ended_at.astimezone(UTC).date(), run.suite_id
    await recording.add_to_suite(
        connection, org_id, suite_id, day, 1, len(run.outcomes), run.passed
    )
    await recording.insert_outcomes(connection, org_id, run)
    await recording.add_days(connection, org_id, suite_id, day, run.outcomes, 1)
    ids = [one.case_id for one in run.outcomes]
    known = await recording.list_cases(connection, org_id, suite_id, ids)
    late = [case_id for case_id in ids if rules.is_late(known.get(case_id), run.ended_at)]
    grown = [rules.added(known.get(one.case_id), one, run.ended_at) for one in run.outcomes]
    await recording.put_cases(connection, org_id, suite_id, grown)
    if late:
        await recording.rebuild(connection, org_id, suite_id, late)
    return True


async def forget_run(connection: Connection, org_id: str, run_id: str) -> None:
    """Take a run out of all figures, because it is deleted.

    Runs in the transaction of the caller. A run that was not counted changes nothing.
    """
    run = await recording.find_run(connection, org_id, run_id)
    if run is None:
        return
    day, suite_id = run.ended_at.astimezone(UTC).date(), run.suite_id
    # First, because whoever changes figures of the suite holds its sums.
    await recording.hold_suite(connection, org_id, suite_id)
    if not await recording.delete_run(connection, org_id, run_id):
        return
    await recording.add_to_suite(
        connection, org_id, suite_id, day, -1, -len(run.outcomes), -run.passed
    )
    await recording.add_days(connection, org_id, suite_id, day, run.outcomes, -1)
    await recording.take_away(connection, org_id, suite_id, run.outcomes)
    ids = [one.case_id for one in run.outcomes]
    await recording.delete_empty(connection, org_id, suite_id, ids, day)
    await recording.rebuild(connection, org_id, suite_id, ids)


async def read(database: Database, principal: Principal, query: AnalyticsQuery) -> Analytics:
    """Give the figures of an organization, or of one suite of it."""
    since = None
    if query.days is not None:
        since = datetime.now(UTC).date() - timedelta(days=query.days - 1)
    scope = Scope(principal.org, query.suite_id, since)
    async with database.connection() as connection:
        totals = await figures.totals(connection, scope)
        flakiest = await figures.cases(connection, scope, figures.FLAKIEST, query.limit)
        slowest = await figures.cases(connection, scope, figures.SLOWEST, SLOWEST)
        trend = await figures.trend(connection, scope, query.limit)
    start = figures.start_of(since)
    cases = [rules.shown(suite_id, case, start) for suite_id, case in flakiest]
    return Analytics.model_construct(
        total_runs=totals.runs,
        overall_pass_rate=rules.rate(totals.passed, totals.outcomes),
        flaky_cases=[case for case in cases if case.flaky],
        cases=cases,
        trend=[
            Point.model_construct(
                run_id=run_id, ts=ended_at, suite=file, cases=n, pass_rate=rules.rate(passed, n)
            )
            for run_id, ended_at, file, n, passed in trend
        ],
        slowest_cases=[rules.shown(suite_id, case, start) for suite_id, case in slowest],
    )
