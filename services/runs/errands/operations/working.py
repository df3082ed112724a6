"""Errands in the hands of workers: claimed with a lease and a fence, as runs are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic_core import from_json, to_json

from services.runs.errands.models import (
    ErrandLost,
    HeldErrand,
    Look,
    Outcome,
    Taken,
    Wished,
)
from services.runs.errands.store import asking, working
from shared.bus import outbox
from shared.contracts.runs import ErrandEnded
from shared.db import Connection, Database, Record
from shared.log import get_logger
from shared.vault import Vault

MOST_TOLD: Final = 1000
"""Words of an errand that are kept while it works."""

KEPT: Final = 900.0
"""Seconds after which what came of an errand is erased, fetched or not."""

AT_ONCE: Final = 200

WORKER_GONE: Final = "The worker that had it in hand is gone."
UNREADABLE: Final = "What was asked for cannot be read any more."

log = get_logger()


async def claim(
    database: Database, vault: Vault, worker: str, most: int, of_one: int, lease_s: float
) -> list[Taken]:
    """Take errands that wait, oldest first.

    Args:
        database: the service's.
        vault: opens what they are told.
        worker: who takes them.
        most: at once.
        of_one: organization, over all workers.
        lease_s: seconds after which the worker counts as dead.
    """
    taken: list[Taken] = []
    async with database.transaction() as connection:
        for row in await working.claim(connection, worker, most, of_one, lease_s):
            held = _held(row)
            try:
                order = from_json(vault.open(row["order"]))
            except ValueError:
                log.error("order of an errand cannot be opened", errand_id=held.id)
                await _end(connection, held, Outcome("failed", None, UNREADABLE), None)
                continue
            taken.append(Taken(held, row["kind"], order, max(0.1, row["seconds"])))
    return taken


def _held(row: Record) -> HeldErrand:
    return HeldErrand(row["org_id"], row["id"], row["worker"], row["fence"])


async def renew(database: Database, held: Sequence[HeldErrand], lease_s: float) -> list[Look]:
    """Hold on to errands; say of each whether it is kept and whether it is to end."""
    async with database.statement() as connection:
        rows = await working.renew(connection, held, lease_s)
    return _looks(held, rows)


async def look(database: Database, held: Sequence[HeldErrand]) -> list[Look]:
    """See of each whether it is kept, and whether it is to end."""
    async with database.connection() as connection:
        rows = await working.look(connection, held)
    return _looks(held, rows)


def _looks(held: Sequence[HeldErrand], rows: Sequence[Record]) -> list[Look]:
    found = {_held(row): row for row in rows}
    return [
        Look(each, True, found[each]["is_ending"], found[each]["is_watched"])
        if each in found
        else Look(each, False)
        for each in held
    ]


async def take_wishes(database: Database, vault: Vault, held: Sequence[HeldErrand]) -> list[Wished]:
    """Take away what was said to errands, in its order."""
    async with database.connection() as connection:
        rows = await working.take_wishes(connection, held)
    return [
        Wished(row["org_id"], row["errand_id"], from_json(vault.open(row["content"])))
        for row in rows
    ]


async def write_told(
    database: Database, vault: Vault, held: HeldErrand, told: Sequence[tuple[str, bytes]]
) -> None:
    """Write down what an errand told: slot and JSON of each, in order."""
    sealed = [(slot, vault.seal(content)) for slot, content in told]
    async with database.connection() as connection:
        await working.tell(connection, held, sealed, MOST_TOLD)


async def finish(database: Database, vault: Vault, held: HeldErrand, outcome: Outcome) -> None:
    """End an errand; its order is erased.

    Raises:
        ErrandLost: it is not this worker's any more.
    """
    sealed = None if outcome.result is None else vault.seal(to_json(outcome.result))
    async with database.transaction() as connection:
        await _end(connection, held, outcome, sealed)


async def _end(
    connection: Connection, held: HeldErrand, outcome: Outcome, sealed: bytes | None
) -> None:
    words = (outcome.status, sealed, outcome.reason, outcome.code)
    if not await working.finish(connection, held, *words):
        raise ErrandLost
    # What nobody has heard may be a password.
    await asking.forget_wishes(connection, held.org_id, held.id)
    event = ErrandEnded(org_id=held.org_id, errand_id=held.id, status=outcome.status)
    await outbox.add(connection, event)


async def reconcile(database: Database) -> int:
    """End errands whose worker is gone, and erase what ended a while ago; give how many ended."""
    async with database.transaction() as connection:
        lost = await working.end_lost(connection, WORKER_GONE)
        for row in lost:
            event = ErrandEnded(org_id=row["org_id"], errand_id=row["id"], status=row["status"])
            await outbox.add(connection, event)
            await asking.forget_words(connection, row["org_id"], row["id"])
        await working.sweep(connection, KEPT, AT_ONCE)
    return len(lost)
