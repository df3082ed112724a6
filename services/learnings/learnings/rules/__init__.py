"""Decisions about learnings that need no database, by topic."""

from __future__ import annotations

from services.learnings.learnings.rules.contents import (
    ID_LENGTH,
    author_of,
    changed,
    content_of,
    feed_ids,
    is_canary,
    is_key,
    origin_of,
    origin_of_client,
    origin_project_of,
    server_node,
    split_clock,
    sync_hash_of,
)
from services.learnings.learnings.rules.incidents import entry_of_issue
from services.learnings.learnings.rules.knowing import (
    Keys,
    canary_json,
    entry_of,
    is_stale,
    new_row,
    tick,
)
from services.learnings.learnings.rules.likeness import Comparing, may_be_one
from services.learnings.learnings.rules.settling import Settlement, events, listed, vacated
from services.learnings.learnings.rules.texts import bands
from services.learnings.learnings.rules.texts import hash_of as text_hash

__all__ = [
    "ID_LENGTH",
    "Comparing",
    "Keys",
    "Settlement",
    "author_of",
    "bands",
    "canary_json",
    "changed",
    "content_of",
    "entry_of",
    "entry_of_issue",
    "events",
    "feed_ids",
    "is_canary",
    "is_key",
    "is_stale",
    "listed",
    "may_be_one",
    "new_row",
    "origin_of",
    "origin_of_client",
    "origin_project_of",
    "server_node",
    "split_clock",
    "sync_hash_of",
    "text_hash",
    "tick",
    "vacated",
]
