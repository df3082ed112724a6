"""Recording: one learning in one statement where nothing is in its way, many in a transaction.

The natural key of a learning is its writer's origin and own id (section 6.2). What is sent again
unchanged changes nothing and says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.learnings.learnings import rules, store
from services.learnings.learnings.models import (
    LIVE,
    Author,
    Counters,
    Entry,
    Likeness,
    NewLearning,
    Prepared,
    Row,
    Shown,
    Verdict,
)
from services.learnings.learnings.operations.preparing import prepare, prepare_all
from services.learnings.learnings.operations.settling import gather, write
from shared.contracts.learnings import LearningRecorded
from shared.db import Connection, Database, UniqueViolation
from shared.errors import Conflict, Forbidden
from shared.ids import new_id

CANARY: Final = Verdict("skipped", None, "canary")


async def record(
    database: Database,
    author: Author,
    body: NewLearning,
    likeness: Likeness | None = None,
    *,
    key_quota: int = 0,
) -> Shown:
    """Record a learning, or bring up to date the one with the same natural key.

    A canary is answered like a new learning, and stored nowhere (section 6.7).

    Raises:
        Forbidden: the key has recorded as many as it may.
    """
    entry = rules.entry_of(author, body)
    new = prepare(author.org_id, entry)
    if new.is_canary:
        return Shown(rules.canary_json(author, new, _new_id()), is_new=True)
    if new.entry.content.status in LIVE and not (key_quota and rules.is_key(author)):
        written = await _insert(database, author, new)
        if written is not None:
            return Shown(written, is_new=True)
    async with database.transaction() as connection:
        (verdict,) = await _record_all(connection, author, [new], likeness, key_quota)
        if verdict.reason == "quota":
            raise Forbidden("This key has recorded as many learnings as it may")
        shown = await store.read(connection, author.org_id, verdict.id or "")
    if shown is None:
        raise Conflict("The learning was deleted while it was being recorded")
    return Shown(shown, is_new=verdict.status == "inserted")


async def _insert(database: Database, author: Author, new: Prepared) -> str | None:
    """Write a new learning and its event; None if something is in its way."""
    learning_id = _new_id()
    event = LearningRecorded(
        org_id=author.org_id, learning_id=learning_id, summary=new.entry.content.summary
    )
    try:
        async with database.statement() as connection:
            return await store.insert(
                connection, author, learning_id, new, event, by_key=rules.is_key(author)
            )
    except UniqueViolation:
        # Another request with one of its keys committed while this one waited for its turn.
        return None


async def record_batch(
    connection: Connection,
    author: Author,
    entries: Sequence[Entry],
    likeness: Likeness | None = None,
    *,
    key_quota: int = 0,
) -> list[Verdict]:
    """Record many learnings in the caller's transaction, in their order, all or none.

    To be called before anything else in that transaction locks learnings: it locks the
    organization's row first. The number of queries does not depend on the number of entries.
    The same natural key may come twice; the later entry changes what the earlier one made.
    ``key_quota`` is how many a key may record in all that has no quota of its own, 0 for any.
    """
    prepared = await prepare_all(author.org_id, entries)
    return await _record_all(connection, author, prepared, likeness, key_quota)


async def _record_all(
    connection: Connection,
    author: Author,
    news: Sequence[Prepared],
    likeness: Likeness | None,
    key_quota: int,
) -> list[Verdict]:
    stored = [new for new in news if not new.is_canary]
    if not stored:
        return [CANARY] * len(news)
    counters = await store.lock(connection, author.org_id)
    batch = await _open(connection, author, stored, counters, likeness or Likeness())
    if rules.is_key(author):
        batch.room = await store.room(connection, author.org_id, author.subject, key_quota)
    verdicts = [CANARY if new.is_canary else batch.take(new) for new in news]
    await write(connection, author.org_id, batch.settlement, counters)
    if rules.is_key(author) and batch.settlement.new:
        made = len(batch.settlement.new)
        await store.count_use(connection, author.org_id, author.subject, made)
    return verdicts


async def _open(
    connection: Connection,
    author: Author,
    news: Sequence[Prepared],
    counters: Counters,
    likeness: Likeness,
) -> _Batch:
    """Read all that a batch is decided by."""
    org_id = author.org_id
    keys = {
        (new.entry.origin, new.entry.source_id) for new in news if new.entry.source_id is not None
    }
    sent = [(origin, source_id) for origin, source_id in keys if source_id is not None]
    found = await store.known(connection, org_id, author.subject, sent) if sent else []
    known = rules.Keys(found)
    fresh = [new for new in news if not known.knows(author.subject, new)]
    # A batch that was only sent again needs no look at what else says the same.
    hashes = [new.text_hash for new in fresh]
    settlement = await gather(connection, org_id, found if fresh else [], hashes)
    wanted = [
        feed_id
        for origin, source_id in sent
        for feed_id in rules.feed_ids("", origin, source_id)
        if feed_id
    ]
    taken = await store.taken_feed_ids(connection, org_id, wanted) if wanted and fresh else set()
    alike = await store.alike(connection, org_id, fresh) if fresh else {}
    return _Batch(
        author=author,
        settlement=settlement,
        counters=counters,
        keys=known,
        candidates={id(fresh[at]): rows for at, rows in alike.items()},
        taken=taken,
        comparing=rules.Comparing(likeness),
    )


@dataclass(slots=True)
class _Batch:
    """A batch under way: what is known, and what has been decided so far."""

    author: Author
    settlement: rules.Settlement
    counters: Counters
    keys: rules.Keys
    candidates: Mapping[int, Sequence[Row]]
    taken: set[str]
    comparing: rules.Comparing
    written: dict[int, Row] = field(default_factory=dict)
    """The latest row of this batch under each near-duplicate key."""
    room: int | None = None
    """Learnings that the author may still record; None for any number."""

    def take(self, new: Prepared) -> Verdict:
        """Decide on one entry."""
        row = self.keys.find(self.author.subject, new)
        if row is None:
            if self.room is not None and len(self.settlement.new) >= self.room:
                return Verdict("skipped", None, "quota")
            row = self._insert(new)
            verdict = Verdict("inserted", row.id)
        elif row.content.sync_hash == new.entry.content.sync_hash:
            return Verdict("skipped", row.id, "unchanged")
        elif rules.is_stale(row, new.entry):
            return Verdict("skipped", row.id, "stale")
        else:
            self._update(row, new)
            verdict = Verdict("updated", row.id)
        if row.stands and row.similar_to is None:
            row.similar_to = self.comparing.closest(row, self._alike(new))
        for band in new.bands:
            self.written[band] = row
        return verdict

    def _alike(self, new: Prepared) -> list[Row]:
        """Give the learnings, here before or in this batch, that share a key with an entry."""
        here = [self.written[band] for band in new.bands if band in self.written]
        return [*here, *self.candidates.get(id(new), ())]

    def _insert(self, new: Prepared) -> Row:
        learning_id = _new_id()
        entry = new.entry
        feed_id = next(
            name
            for name in rules.feed_ids(learning_id, entry.origin, entry.source_id)
            if name not in self.taken
        )
        self.taken.add(feed_id)
        created_at = rules.tick(self.counters.next_at, len(self.settlement.new))
        row = rules.new_row(self.author, new, learning_id, feed_id, created_at)
        self.settlement.add(row)
        self.keys.add(row)
        return row

    def _update(self, row: Row, new: Prepared) -> None:
        self.settlement.change(row, new)
        row.server_clock = max(row.server_clock, new.server_clock + 1)
        if new.entry.client_seq is not None:
            row.client_seq = new.entry.client_seq
        if row.origin == self.author.subject != new.entry.origin:
            # Now known to be of this installation, which then is not sent its own learning.
            row.origin, row.came_by = new.entry.origin, new.entry.came_by
            self.keys.add(row)


def _new_id() -> str:
    return new_id("L-", rules.ID_LENGTH)
