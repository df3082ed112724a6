"""Recording and changing."""

from __future__ import annotations

from services.learnings.learnings import rules, store
from services.learnings.learnings.models import (
    Author,
    Content,
    LearningChange,
    NewLearning,
    Shown,
    Stored,
)
from shared.bus import outbox
from shared.contracts.learnings import LearningChanged, LearningRecorded
from shared.db import Connection, Database, UniqueViolation
from shared.errors import Conflict, NotFound
from shared.ids import new_id


async def record(database: Database, author: Author, body: NewLearning) -> Shown:
    """Record a learning, or bring up to date the one with the same natural key.

    The natural key is the writer's origin and own id (section 6.2). What is sent again unchanged
    changes nothing and says nothing.
    """
    content, origin = rules.content_of(body), rules.origin_of(author, body)
    written = await _insert(database, author, origin, body.source_learning_id or None, content)
    if written is not None:
        return Shown(written, is_new=True)
    assert body.source_learning_id  # only a natural key can be there already
    async with database.transaction() as connection:
        stored = await store.lock_by_natural_key(
            connection, author.org_id, origin, body.source_learning_id
        )
        if stored is None:
            raise Conflict("The learning was deleted while it was being recorded")
        return await _change(connection, author.org_id, stored, content)


async def _insert(
    database: Database, author: Author, origin: str, source_id: str | None, content: Content
) -> str | None:
    """Write a new learning and its event; None if the natural key is taken."""
    learning_id = new_id("L-", rules.ID_LENGTH)
    event = LearningRecorded(org_id=author.org_id, learning_id=learning_id, summary=content.summary)
    try:
        async with database.statement() as connection:
            return await store.insert(
                connection, author, learning_id, origin, source_id, content, event
            )
    except UniqueViolation:
        # Another request with the same natural key committed while this one waited for its turn.
        return None


async def change(database: Database, org_id: str, learning_id: str, body: LearningChange) -> Shown:
    """Change what was sent of a learning; the values it already has change nothing.

    Raises:
        NotFound: there is none, or it is another tenant's.
        Invalid: nothing was sent.
    """
    async with database.transaction() as connection:
        stored = await store.lock(connection, org_id, learning_id)
        if stored is None:
            raise NotFound
        return await _change(connection, org_id, stored, rules.changed(stored.content, body))


async def _change(connection: Connection, org_id: str, stored: Stored, content: Content) -> Shown:
    if content == stored.content:
        return Shown(await store.read(connection, org_id, stored.id) or "")
    written = await store.update(connection, org_id, stored.id, content)
    event = LearningChanged(
        org_id=org_id, learning_id=stored.id, status=content.status, version=stored.version + 1
    )
    await outbox.add(connection, event)
    return Shown(written)
