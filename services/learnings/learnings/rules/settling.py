"""Which of the learnings that say the same stands for all (learnings contract, section 6.6).

Of the live learnings of one text one stands: it is served, listed and found. The others are its
duplicates. What stands stays until it is retired or says something else; then its oldest live
duplicate takes its place. Tags go along to whatever stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from services.learnings.learnings.models import TAG_LIMIT, Content, Prepared, Row, Status
from shared.bus import Event
from shared.contracts.learnings import LearningChanged, LearningRecorded, LearningRetired


@dataclass(frozen=True, slots=True)
class Former:
    """What a row was before the transaction."""

    content: Content
    text_hash: bytes | None
    was_live: bool
    stood: bool
    served: bool


class Settlement:
    """Rows of one organization, and what a transaction makes of them.

    It must know of each text that is left or taken: the row that stands for it, and the oldest
    live duplicate beside the rows that are written.

    Attributes:
        rows: all that are known, by id.
        new: those that are to be written for the first time.
        touched: those that are to be written, in the order of their last change.
        former: what the changed ones were before.
        moves: where the duplicates of a row, known here or not, belong from now on.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = {row.id: row for row in rows}
        self.new: dict[str, Row] = {}
        self.touched: dict[str, Row] = {}
        self.former: dict[str, Former] = {}
        self.moves: dict[str, str] = {}
        self._standing: dict[bytes, Row] = {}
        self._duplicates: dict[str, dict[str, Row]] = {}
        for row in self.rows.values():
            if row.duplicate_of is not None:
                self._duplicates.setdefault(row.duplicate_of, {})[row.id] = row
            elif row.text_hash is not None and row.is_live:
                self._standing[row.text_hash] = row

    def add(self, row: Row) -> None:
        """Take a new row in; its content is settled like a changed one's."""
        self.rows[row.id] = self.new[row.id] = self.touched[row.id] = row
        self._place(row, says_the_same=False)

    def change(self, row: Row, prepared: Prepared) -> None:
        """Give a row new content."""
        text_hash, tags = row.text_hash, row.content.tags
        stood_for_text = text_hash is not None and self._standing.get(text_hash) is row
        says_the_same = text_hash == prepared.text_hash
        self._touch(row)
        if not says_the_same:
            row.similar_to = None
        row.content, row.text_hash = prepared.entry.content, prepared.text_hash
        row.grams, row.bands = prepared.grams, prepared.bands
        if text_hash is not None and stood_for_text and not (row.is_live and says_the_same):
            self._succeed(row, text_hash, tags)
        self._place(row, says_the_same=says_the_same)

    def _succeed(self, row: Row, text_hash: bytes, tags: list[str]) -> None:
        """Put the oldest live duplicate in the place that a row has left."""
        del self._standing[text_hash]
        heirs = [heir for heir in self._duplicates.get(row.id, {}).values() if heir.is_live]
        if not heirs:
            return
        heir = min(heirs, key=lambda other: (other.created_at, other.id))
        self._touch(heir)
        self._stand(heir)
        self._unite(heir, tags)
        self._move(row.id, heir.id)

    def _place(self, row: Row, *, says_the_same: bool) -> None:
        """Let a row stand, or be a duplicate of what stands."""
        assert row.text_hash is not None
        standing = self._standing.get(row.text_hash, row)
        if not row.is_live:
            if not says_the_same:
                self._stand(row)
        elif standing is row:
            self._stand(row)
        else:
            stood = row.stands
            self._follow(row, standing.id)
            row.similar_to = None
            if stood and row.id not in self.new:
                self._move(row.id, standing.id)
            self._unite(standing, row.content.tags)

    def _stand(self, row: Row) -> None:
        self._follow(row, None)
        row.served = True
        if row.is_live:
            assert row.text_hash is not None
            self._standing[row.text_hash] = row

    def _follow(self, row: Row, target: str | None) -> None:
        """Make a row a duplicate of another, or of none."""
        if row.duplicate_of is not None:
            self._duplicates.get(row.duplicate_of, {}).pop(row.id, None)
        if target is not None:
            self._duplicates.setdefault(target, {})[row.id] = row
        row.duplicate_of = target

    def _unite(self, row: Row, tags: list[str]) -> None:
        """Add tags to what stands; it counts as a change if any is new."""
        united = list(dict.fromkeys([*row.content.tags, *tags]))[:TAG_LIMIT]
        if len(united) <= len(row.content.tags):
            return
        if row.id not in self.former:
            self._touch(row)
        row.content = replace(row.content, tags=united)

    def _move(self, old: str, new: str) -> None:
        """Send the duplicates of one row to another."""
        moves = {source: new if to == old else to for source, to in self.moves.items()}
        moves.setdefault(old, new)
        self.moves = {source: to for source, to in moves.items() if source != to}
        for row in list(self._duplicates.get(old, {}).values()):
            if row.id != new:
                self._follow(row, new)
                self.touched.setdefault(row.id, row)

    def _touch(self, row: Row) -> None:
        """Count a change of a row, once however often it changes."""
        if row.id not in self.new and row.id not in self.former:
            self.former[row.id] = Former(
                row.content, row.text_hash, row.is_live, row.stands, row.served
            )
            row.version += 1
            row.server_clock += 1
        self.touched.pop(row.id, None)
        self.touched[row.id] = row


def listed(settlement: Settlement) -> Mapping[str, int]:
    """Tell of rows that were there how their number in the list changed: 1 came, -1 went."""
    return {
        row_id: settlement.rows[row_id].stands - former.stood
        for row_id, former in settlement.former.items()
        if settlement.rows[row_id].stands != former.stood
    }


def vacated(settlement: Settlement) -> list[str]:
    """Give the rows that must first leave a text which another row takes.

    Of one text at most one row may stand at any moment, also between two written rows.
    """
    left = {
        former.text_hash: row_id
        for row_id, former in settlement.former.items()
        if former.stood
        and former.was_live
        and not (
            (row := settlement.rows[row_id]).stands
            and row.is_live
            and row.text_hash == former.text_hash
        )
    }
    return [
        left[row.text_hash]
        for row in settlement.touched.values()
        if row.stands and row.is_live and row.text_hash in left
    ]


def events(org_id: str, settlement: Settlement) -> list[Event]:
    """Give what is said of a settlement: what came, what changed, what no longer holds.

    Duplicates are silent. A row that becomes one has ended for whoever knew it.
    """
    said: list[Event] = []
    for row in settlement.touched.values():
        former = settlement.former.get(row.id)
        is_new = row.id in settlement.new or (former is not None and not former.served)
        status = row.content.status
        if former is None and not is_new:
            continue
        if row.stands and is_new:
            said.append(_recorded(org_id, row))
        elif former is not None and former.stood and not row.stands:
            said.append(_retired(org_id, row, Status.OBSOLETE))
        elif former is not None and former.was_live and row.stands and not row.is_live:
            said.append(_retired(org_id, row, status))
        elif row.stands:
            said.append(
                LearningChanged(
                    org_id=org_id, learning_id=row.id, status=status, version=row.version
                )
            )
    return said


def _recorded(org_id: str, row: Row) -> Event:
    return LearningRecorded(
        org_id=org_id, learning_id=row.id, summary=row.content.summary, version=row.version
    )


def _retired(org_id: str, row: Row, status: str) -> Event:
    return LearningRetired(org_id=org_id, learning_id=row.id, status=status, version=row.version)
