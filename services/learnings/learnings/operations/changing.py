"""Changing a learning by its server's id."""

from __future__ import annotations

from services.learnings.learnings import rules, store
from services.learnings.learnings.models import Entry, LearningChange, Likeness, Shown, Status
from services.learnings.learnings.operations.preparing import prepare
from services.learnings.learnings.operations.settling import gather, write
from shared.db import Database
from shared.errors import Forbidden, NotFound


async def change(
    database: Database,
    org_id: str,
    learning_id: str,
    body: LearningChange,
    *,
    likeness: Likeness | None = None,
    by_platform_admin: bool = False,
) -> Shown:
    """Change what was sent of a learning; the values it already has change nothing.

    Raises:
        NotFound: there is none, or it is another tenant's.
        Invalid: nothing was sent.
        Forbidden: the tier was sent by somebody who is no platform administrator.
    """
    if "tier" in body.model_fields_set and not by_platform_admin:
        raise Forbidden("Admin role required")
    async with database.transaction() as connection:
        counters = await store.lock(connection, org_id)
        row = await store.by_id(connection, org_id, learning_id)
        if row is None:
            raise NotFound
        wanted = rules.changed(row.content, body)
        new = prepare(
            org_id,
            Entry(wanted, row.origin, row.source_learning_id, row.came_by, row.client_seq),
        )
        tier = body.tier if "tier" in body.model_fields_set else row.tier
        if new.entry.content != row.content or tier != row.tier:
            settlement = await gather(connection, org_id, [row], [new.text_hash])
            row.tier = tier
            says_the_same = row.text_hash == new.text_hash
            settlement.change(row, new)
            if row.stands and not says_the_same:
                alike = await store.alike(connection, org_id, [new])
                comparing = rules.Comparing(likeness or Likeness())
                row.similar_to = comparing.closest(row, alike.get(0, ()))
            await write(connection, org_id, settlement, counters)
        return Shown(await store.read(connection, org_id, learning_id) or "")


async def retire(database: Database, org_id: str, learning_id: str) -> None:
    """Take a learning out of use; it stays, as obsolete, so that its end reaches every client.

    Raises:
        NotFound: there is none, or it is another tenant's.
    """
    await change(database, org_id, learning_id, LearningChange(status=Status.OBSOLETE))
