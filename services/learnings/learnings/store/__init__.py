"""The SQL of learnings, by topic."""

from __future__ import annotations

from services.learnings.learnings.store.listing import (
    LANDMARK_SPACING,
    NEWEST,
    filtered,
    filtered_sql,
    is_plain,
    newest,
)
from services.learnings.learnings.store.reading import read
from services.learnings.learnings.store.recording import (
    insert,
    lock,
    lock_by_natural_key,
    update,
)

__all__ = [
    "LANDMARK_SPACING",
    "NEWEST",
    "filtered",
    "filtered_sql",
    "insert",
    "is_plain",
    "lock",
    "lock_by_natural_key",
    "newest",
    "read",
    "update",
]
