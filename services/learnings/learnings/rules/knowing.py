"""Knowing a learning again, and making a new one (learnings contract, section 6.2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pydantic_core import to_json

from services.learnings.learnings.models import Author, Entry, NewLearning, Prepared, Row
from services.learnings.learnings.rules.contents import (
    content_of,
    feed_ids,
    origin_of,
    server_node,
)
from services.learnings.learnings.rules.likeness import may_be_one


class Keys:
    """Rows by their writers' own ids."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._exact: dict[tuple[str, str], Row] = {}
        self._by_source: dict[str, list[Row]] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Know a row, from now on under its present origin."""
        if row.source_learning_id is None:
            return
        self._exact[row.origin, row.source_learning_id] = row
        same = self._by_source.setdefault(row.source_learning_id, [])
        if row not in same:
            same.append(row)

    def find(self, subject: str, new: Prepared) -> Row | None:
        """Give the row that an entry is of.

        The natural key's; else, where one credential wrote once under its own name and once under
        an installation's, the only one with that id, provided that the summaries are alike.
        """
        entry = new.entry
        if entry.source_id is None:
            return None
        exact = self._exact.get((entry.origin, entry.source_id))
        if exact is not None:
            return exact
        others = [
            row
            for row in self._by_source.get(entry.source_id, ())
            if row.recorded_by == subject and _other_way(row, subject, entry)
        ]
        if len(others) == 1 and may_be_one(entry.content.summary, others[0].content.summary):
            return others[0]
        return None

    def knows(self, subject: str, new: Prepared) -> bool:
        """Tell whether an entry is of a row that it would not change."""
        row = self.find(subject, new)
        return row is not None and row.content.sync_hash == new.entry.content.sync_hash


def _other_way(row: Row, subject: str, entry: Entry) -> bool:
    if entry.origin == subject:
        return row.came_by == "push" and row.origin != subject
    return entry.came_by == "push" and row.origin == subject


def is_stale(row: Row, entry: Entry) -> bool:
    """Tell whether the writer has sent a later state already."""
    return (
        entry.client_seq is not None
        and row.client_seq is not None
        and entry.client_seq < row.client_seq
    )


def entry_of(author: Author, body: NewLearning) -> Entry:
    """Take an entry out of the body of a POST."""
    return Entry(
        content=content_of(body),
        origin=origin_of(author, body),
        source_id=body.source_learning_id or None,
        came_by="post",
    )


def tick(start: datetime, number: int) -> datetime:
    """Give each of the learnings of one transaction a time of its own, in their order."""
    return start + timedelta(microseconds=number)


def new_row(
    author: Author, new: Prepared, learning_id: str, feed_id: str, created_at: datetime
) -> Row:
    """Make the row of a new learning; its number is given when it is written."""
    entry = new.entry
    return Row(
        id=learning_id,
        origin=entry.origin,
        source_learning_id=entry.source_id,
        feed_id=feed_id,
        recorded_by=author.subject,
        account_id=author.account_id,
        came_by=entry.came_by,
        client_seq=entry.client_seq,
        tier="team",
        content=entry.content,
        text_hash=new.text_hash,
        grams=new.grams,
        bands=new.bands,
        duplicate_of=None,
        similar_to=None,
        served=False,
        version=1,
        server_clock=max(1, new.server_clock),
        sync_seq=0,
        created_at=created_at,
    )


def canary_json(author: Author, new: Prepared, learning_id: str) -> str:
    """Write the answer to a canary, which looks like a learning's."""
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    row = new_row(author, new, learning_id, feed_ids(learning_id, "", None)[0], datetime.now(UTC))
    content = row.content
    shown = {
        "id": row.id,
        "summary": content.summary,
        "detail": content.detail,
        "tags": content.tags,
        "impact": content.impact,
        "status": content.status,
        "type": content.type,
        "tier": "team",
        "source_project": content.source_project,
        "source_learning_id": row.source_learning_id,
        "origin_project": content.origin_project,
        "client_id": content.client_id,
        "vector_clock": {**content.vector_clock, server_node(author.org_id): row.server_clock},
        "metadata": content.metadata,
        "sync_hash": content.sync_hash,
        "sync_seq": 0,
        "duplicate_of": None,
        "similar_to": None,
        "superseded_by": None,
        "version": 1,
        "created_at": now,
        "updated_at": now,
        **content.extra,
    }
    return to_json(shown, inf_nan_mode="null").decode()
