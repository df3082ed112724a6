"""How a copy of access becomes what auth has, whatever order its news comes in. Pure decisions.

Auth numbers its changes in the order of commits. An event brings one numbered change; a snapshot of
number V is the state after changes 1 to V. So of two accounts of the same thing the one with the
higher number is right, and what a snapshot leaves out is gone, unless something newer than the
snapshot is known of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from services.agents.access.models import Known, Merge

IdT = TypeVar("IdT")


def is_news(version: int, copied: int, known: Known | None) -> bool:
    """Tell whether an event says something that the copy does not know yet, of the thing it is of.

    Args:
        version: of the event.
        copied: of the last snapshot, in which everything up to there is contained.
        known: of the same thing, if anything.
    """
    return version > copied and (known is None or version > known.version)


def is_restored(version: int, heard: int) -> bool:
    """Tell whether auth has gone back in time: it was restored from a backup.

    Args:
        version: of a snapshot.
        heard: the highest number that was known before the snapshot was asked for; changes are
            said after they are committed, so the snapshot must contain it.
    """
    return version < heard


def is_stale(version: int, copied: int, *, restored: bool) -> bool:
    """Tell whether a snapshot was overtaken by a newer one."""
    return version < copied and not restored


def merge(
    shown: Mapping[IdT, int], known: Mapping[IdT, Known], version: int, *, restored: bool
) -> Merge[IdT]:
    """Decide what a snapshot changes in the copy of one table.

    Args:
        shown: the numbers of the things in the snapshot.
        known: what the copy knows, tombstones included.
        version: of the snapshot.
        restored: auth was restored from a backup: numbers in the copy mean nothing any more.
    """
    take = {
        one
        for one, number in shown.items()
        if restored or _differs(known.get(one), number, version)
    }
    gone = {
        one: row
        for one, row in known.items()
        if one not in shown and (restored or row.version <= version)
    }
    return Merge(
        frozenset(take),
        frozenset(one for one, row in gone.items() if not row.deleted),
        frozenset(one for one, row in gone.items() if row.deleted),
    )


def _differs(known: Known | None, number: int, version: int) -> bool:
    """Tell whether a snapshot corrects what is known of a thing; what is newer than it, it cannot.

    A higher number that the snapshot should contain is of before auth was restored.
    """
    if known is None:
        return True
    return known.version <= version and (known.deleted or known.version != number)
