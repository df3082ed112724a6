"""Looking at baselines, approving what was compared last, resetting them."""

from __future__ import annotations

from services.runs.artifacts.operations import Store
from services.runs.checks import rules, store
from services.runs.checks.models import Baseline, BaselinePage, BaselineQuery, Stored
from services.runs.engine.probes.pictures import read_size
from shared.db import Database
from shared.errors import NotFound
from shared.pagination import TOTAL_CAP
from shared.principal import Principal

APPROVED = "This picture was approved as the baseline."


async def page(database: Database, org_id: str, query: BaselineQuery) -> BaselinePage:
    """Give a page of baselines, by name."""
    async with database.connection() as connection:
        found = await store.page(connection, org_id, query.q, query.limit, query.offset)
        total = await store.count(connection, org_id, query.q, TOTAL_CAP)
    items = [rules.shown(each) for each in found]
    return BaselinePage(items=items, total=total, limit=query.limit, offset=query.offset)


async def find(database: Database, org_id: str, name: str) -> Baseline:
    """Give a baseline.

    Raises:
        NotFound: there is none.
    """
    return rules.shown(await _find(database, org_id, name))


async def picture(database: Database, files: Store, org_id: str, name: str, which: str) -> bytes:
    """Give one of a baseline's pictures: ``baseline``, ``latest`` or ``diff``.

    Raises:
        NotFound: there is none.
    """
    stored = await _find(database, org_id, name)
    keys = {"baseline": stored.picture, "latest": stored.latest, "diff": stored.difference}
    key = keys.get(which)
    if key is None:
        raise NotFound
    return await files.get_object(key)


async def approve(database: Database, files: Store, principal: Principal, name: str) -> Baseline:
    """Make what was compared last the baseline.

    Raises:
        NotFound: there is no baseline.
    """
    org_id = principal.org
    stored = await _find(database, org_id, name)
    size = read_size(await files.get_object(stored.latest))
    async with database.transaction() as connection:
        row = await store.lock(connection, org_id, name)
        if row is None or row.latest != stored.latest:
            raise NotFound("What was compared last is no more; look again")
        old = {row.picture, row.difference} - {row.latest, None}
        await store.drop_files(connection, org_id, [key for key in old if key])
        by = principal.account or principal.subject
        await store.approve(connection, org_id, name, (size.width, size.height), APPROVED, by)
    return await find(database, org_id, name)


async def delete(database: Database, org_id: str, name: str) -> None:
    """Delete a baseline, so that the next picture of its name becomes it.

    Raises:
        NotFound: there is none.
    """
    async with database.transaction() as connection:
        row = await store.lock(connection, org_id, name)
        if row is None:
            raise NotFound
        await store.delete(connection, org_id, name)
        keys = {row.picture, row.latest, row.difference} - {None}
        await store.drop_files(connection, org_id, [key for key in keys if key])


async def _find(database: Database, org_id: str, name: str) -> Stored:
    async with database.connection() as connection:
        found = await store.find(connection, org_id, name)
    if found is None:
        raise NotFound
    return found
