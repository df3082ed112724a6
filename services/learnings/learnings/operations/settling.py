"""Reading what a transaction decides by, and writing what it decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.learnings.learnings import rules, store
from services.learnings.learnings.models import Counters, Row
from services.learnings.search.operations import grams_of
from shared.bus import outbox
from shared.db import Connection


async def gather(
    connection: Connection, org_id: str, rows: Sequence[Row], hashes: Sequence[bytes]
) -> rules.Settlement:
    """Read what says the same as the rows do now, or will.

    Args:
        connection: of the transaction that holds the organization's row.
        org_id: the tenant.
        rows: those that may change.
        hashes: of the texts that they, or new ones, may come to have.
    """
    texts = {row.text_hash for row in rows if row.text_hash is not None} | set(hashes)
    others = (
        await store.same_texts(connection, org_id, list(texts), [row.id for row in rows])
        if texts
        else []
    )
    return rules.Settlement([*rows, *others])


async def write(
    connection: Connection, org_id: str, settlement: rules.Settlement, counters: Counters
) -> None:
    """Write all that changed, under new numbers, and say it."""
    if not settlement.touched:
        return
    sequence = counters.sequence
    for row in settlement.touched.values():
        if row.id in settlement.new or row.id in settlement.former:
            sequence += 1
            row.sync_seq = sequence
    if leaving := rules.vacated(settlement):
        await store.vacate(connection, org_id, leaving)
    if settlement.moves:
        await store.move(connection, org_id, settlement.moves)
    await _update(connection, org_id, settlement)
    if settlement.new:
        await store.insert_all(connection, org_id, list(settlement.new.values()))
    await _count(connection, org_id, settlement, replace(counters, sequence=sequence))
    if events := rules.events(org_id, settlement):
        await outbox.add_all(connection, events)
        await store.note(connection, org_id, events)


async def _update(connection: Connection, org_id: str, settlement: rules.Settlement) -> None:
    rows = [row for row in settlement.touched.values() if row.id not in settlement.new]
    with_texts = False
    for row in rows:
        former = settlement.former.get(row.id)
        if former is None:
            continue
        before, now = former.content, row.content
        if (before.summary, before.detail, before.tags) != (now.summary, now.detail, now.tags):
            row.grams = grams_of(org_id, now.summary, now.tags)
            with_texts = True
    if rows:
        await store.update_all(connection, org_id, rows, with_texts=with_texts)


async def _count(
    connection: Connection, org_id: str, settlement: rules.Settlement, counters: Counters
) -> None:
    """Bring the organization's counters and landmarks up to date."""
    shifts = [(settlement.rows[row_id], by) for row_id, by in rules.listed(settlement).items()]
    if shifts:
        await store.shift_landmarks(connection, org_id, shifts)
    already = counters.learning_count + sum(by for _, by in shifts)
    news = list(settlement.new.values())
    listed = [row for row in news if row.stands]
    newest = max((row.created_at for row in news), default=counters.next_at)
    await store.count(
        connection,
        org_id,
        Counters(already + len(listed), counters.sequence, newest),
        listed,
        already,
    )
