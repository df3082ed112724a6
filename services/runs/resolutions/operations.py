"""Keeping what runs learned, handing it to the next run, and deciding about heals (contract 10).

Whatever changes a suite's cache holds one lock of that suite: a run that ends while somebody
rejects its heal cannot bring the refused target back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pydantic_core import to_json

from services.runs.engine.host.models import Kept
from services.runs.resolutions import rules
from services.runs.resolutions.models import (
    ID_PREFIX,
    LARGEST_KNOWN,
    LONGEST_ID,
    MOST_ENTRIES,
    Decision,
    Entry,
    Export,
    Heal,
    Healed,
    HealQuery,
    Import,
    Imported,
    Known,
    Refused,
    SpotQuery,
    SuiteQuery,
)
from services.runs.resolutions.store import entries as store
from services.runs.resolutions.store import heals
from services.runs.resolutions.store.heals import delete_all as forget_organization
from services.runs.resolutions.store.heals import forget_decider as forget_account
from shared.db import Connection, Database
from shared.errors import Conflict, Invalid, NotFound
from shared.ids import new_id
from shared.log import get_logger
from shared.pagination import TOTAL_CAP, OffsetPage
from shared.principal import Principal

__all__ = ("forget_account", "forget_organization")

log = get_logger()


async def known(connection: Connection, org_id: str, suite_id: str) -> Known:
    """Give what a run of a suite begins with; of too much, what was written last."""
    found = await store.list_entries(connection, org_id, suite_id, None, MOST_ENTRIES)
    size, fitting = 0, []
    for entry in found:
        size += len(to_json(entry))
        if size > LARGEST_KNOWN:
            break
        fitting.append(entry)
    refused = await store.list_refused(connection, org_id, suite_id, None)
    return Known(tuple(fitting), tuple(refused))


async def keep(
    connection: Connection, org_id: str, suite_id: str, run_id: str, kept: Sequence[Kept]
) -> Mapping[str, list[str]]:
    """Keep what cases that passed have taught; give the ids of their heal records by case.

    Runs in the transaction of the caller. To say the same again changes nothing. Entries whose
    target was refused meanwhile are not written; the heal that led there is, so that somebody may
    still change their mind.
    """
    if len(suite_id) > LONGEST_ID:
        return {}
    told_entries: list[Entry] = []
    told_heals: list[Healed] = []
    for one in kept:
        told_entries += rules.read(Entry, one.case_id, one.entries)
        told_heals += rules.read(Healed, one.case_id, one.heals)
    if not told_entries and not told_heals:
        return {}
    await store.lock(connection, org_id, suite_id)
    if told_entries:
        entries = rules.distinct(told_entries)
        await store.put_entries(connection, org_id, suite_id, run_id, entries)
        await store.trim(connection, org_id, suite_id, MOST_ENTRIES)
    healed = rules.distinct_heals(told_heals)
    by_id = {new_id(ID_PREFIX): heal for heal in healed}
    ids = await heals.put(connection, org_id, suite_id, run_id, by_id) if by_id else {}
    by_case: dict[str, list[str]] = defaultdict(list)
    for heal in healed:
        by_case[heal.case_id].append(ids[heal.place])
    return dict(by_case)


async def export(database: Database, principal: Principal, query: SuiteQuery) -> Export:
    """Give what is known of a suite.

    Raises:
        NotFound: there is no such suite.
    """
    async with database.connection() as connection:
        suite_id = await _suite_id(connection, principal.org, query.suite)
        entries = await store.list_entries(
            connection, principal.org, suite_id, query.case, MOST_ENTRIES
        )
        refused = await store.list_refused(connection, principal.org, suite_id, query.case)
    return Export(
        suite=query.suite,
        suite_id=suite_id,
        entries=[Entry.model_validate(one) for one in entries],
        refused=[Refused.model_validate(one) for one in refused],
    )


async def import_(database: Database, principal: Principal, body: Import) -> Imported:
    """Take in what was exported before, here or elsewhere; what is refused here stays refused.

    Raises:
        NotFound: there is no such suite.
    """
    refused = rules.distinct_refusals(body.refused)
    entries = rules.distinct(body.entries)
    async with database.transaction() as connection:
        suite_id = await _suite_id(connection, principal.org, body.suite)
        await store.lock(connection, principal.org, suite_id)
        await store.put_refused(connection, principal.org, suite_id, refused)
        written = await store.put_entries(connection, principal.org, suite_id, None, entries)
        await store.trim(connection, principal.org, suite_id, MOST_ENTRIES)
    log.info("resolutions imported", org_id=principal.org, entries=written, refused=len(refused))
    return Imported(entries=written, refused=len(refused))


async def delete(database: Database, principal: Principal, query: SpotQuery) -> None:
    """Forget where elements of a suite, a case or a step were.

    Raises:
        NotFound: there is no such suite.
        Invalid: a step is named and no case.
    """
    if query.step is not None and query.case is None:
        raise Invalid.field("query", "case", msg="is needed beside a step", type="missing")
    async with database.transaction() as connection:
        suite_id = await _suite_id(connection, principal.org, query.suite)
        await store.lock(connection, principal.org, suite_id)
        await store.delete(
            connection, principal.org, suite_id, query.case, query.step, query.refused
        )


async def page(database: Database, principal: Principal, query: HealQuery) -> OffsetPage[Heal]:
    """Give a page of heal records, newest first; the total is counted up to 10,000.

    Raises:
        NotFound: there is no such suite.
    """
    async with database.connection() as connection:
        suite_id = None
        if query.suite is not None:
            suite_id = await _suite_id(connection, principal.org, query.suite)
        items = await heals.page(
            connection, principal.org, query.status, suite_id, query.limit, query.offset
        )
        total = await heals.count(connection, principal.org, query.status, suite_id, TOTAL_CAP)
    return OffsetPage[Heal](items=items, total=total, limit=query.limit, offset=query.offset)


async def decide(
    database: Database, principal: Principal, heal_id: str, decision: Decision
) -> Heal:
    """Accept a heal, so that the cache keeps what it found, or reject it.

    Rejecting removes the entries that lead to the target, and refuses it for the step from then on.
    To decide the same again changes nothing.

    Raises:
        NotFound: there is no such record.
        Conflict: the other was decided before.
    """
    org_id = principal.org
    async with database.transaction() as connection:
        seen = await heals.find(connection, org_id, heal_id)
        if seen is None:
            raise NotFound
        await store.lock(connection, org_id, seen.suite_id)
        heal = await heals.find(connection, org_id, heal_id)
        if heal is None:
            raise NotFound
        if heal.status == decision:
            return heal
        if heal.status != "pending":
            raise Conflict(f"This heal was {heal.status} before")
        await heals.decide(connection, org_id, heal_id, decision, principal.account)
        refused = Refused(
            case_id=heal.case_id, step_id=heal.step_id, part=heal.part, target=heal.after
        )
        if decision == "accepted":
            await store.allow(connection, org_id, heal.suite_id, refused, heal.after)
        else:
            await store.put_refused(connection, org_id, heal.suite_id, [refused])
        decided = await heals.find(connection, org_id, heal_id)
        assert decided is not None  # the lock is held
    log.info("heal decided", org_id=org_id, heal=heal_id, decision=decision)
    return decided


async def _suite_id(connection: Connection, org_id: str, suite: str) -> str:
    found = await store.find_suite(connection, org_id, rules.names_of(suite))
    if found is None:
        raise NotFound("There is no such suite")
    return found
