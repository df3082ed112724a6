"""The SQL of learnings, by topic."""

from __future__ import annotations

from services.learnings.learnings.store.listing import (
    LANDMARK_SPACING,
    NEWEST,
    filtered,
    filtered_sql,
    is_plain,
    newest,
    ranked,
)
from services.learnings.learnings.store.news import note
from services.learnings.learnings.store.reading import read
from services.learnings.learnings.store.recording import insert
from services.learnings.learnings.store.settling import (
    alike,
    by_id,
    count,
    count_use,
    insert_all,
    known,
    lock,
    move,
    room,
    same_texts,
    shift_landmarks,
    taken_feed_ids,
    update_all,
    vacate,
)

__all__ = [
    "LANDMARK_SPACING",
    "NEWEST",
    "alike",
    "by_id",
    "count",
    "count_use",
    "filtered",
    "filtered_sql",
    "insert",
    "insert_all",
    "is_plain",
    "known",
    "lock",
    "move",
    "newest",
    "note",
    "ranked",
    "read",
    "room",
    "same_texts",
    "shift_landmarks",
    "taken_feed_ids",
    "update_all",
    "vacate",
]
