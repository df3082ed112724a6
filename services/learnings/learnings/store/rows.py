"""How a learning is written as JSON, by the database.

Decoding 25 columns of 50 rows into Python would cost more than everything else in a request.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, Final

from pydantic_core import to_json

from services.learnings.learnings.models import Content, Row
from shared.db import Record

_TIME: Final = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

# The organization's node in vector clocks is 16 hex digits that nobody else uses (section 6.1).
_NODE: Final = "left(encode(sha256(l.org_id::bytea), 'hex'), 16)"

ITEM: Final = f"""(jsonb_build_object(
    'id', l.id, 'summary', l.summary, 'detail', l.detail, 'tags', l.tags, 'impact', l.impact,
    'status', l.status, 'type', l.type, 'tier', l.tier, 'source_project', l.source_project,
    'source_learning_id', l.source_learning_id, 'origin_project', l.origin_project,
    'client_id', l.client_id, 'metadata', l.metadata, 'sync_hash', l.sync_hash,
    'vector_clock', l.vector_clock || jsonb_build_object({_NODE}, l.server_clock),
    'sync_seq', l.sync_seq, 'duplicate_of', l.duplicate_of, 'similar_to', l.similar_to,
    'superseded_by', l.superseded_by, 'version', l.version,
    'created_at', {_TIME.format("l.created_at")},
    'updated_at', {_TIME.format("l.updated_at")}) || l.extra)::text"""

COLUMNS: Final = """l.id, l.origin, l.source_learning_id, l.feed_id, l.recorded_by, l.account_id,
    l.came_by, l.client_seq, l.tier, l.text_hash, l.grams, l.bands, l.duplicate_of, l.similar_to,
    l.served, l.version, l.server_clock, l.sync_seq, l.created_at, l.summary, l.detail, l.tags,
    l.impact, l.status, l.type, l.source_project, l.origin_project, l.client_id, l.vector_clock,
    l.metadata, l.sync_hash, l.extra"""
"""What ``row_of`` reads."""

_CONTENT: Final = tuple(field.name for field in fields(Content))
_ROW: Final = tuple(field.name for field in fields(Row) if field.name != "content")
_JSON: Final = ("vector_clock", "metadata", "extra")


def row_of(record: Record) -> Row:
    """Read a learning out of ``COLUMNS``; others that were selected beside them are left."""
    values = {name: record[name] for name in _CONTENT}
    for name in _JSON:
        values[name] = json.loads(values[name])
    own = {name: record[name] for name in _ROW}
    return Row(content=Content(**values), **own)


def to_text(value: Any) -> str:
    """Write JSON for a parameter; numbers beyond all bounds become null."""
    return to_json(value, inf_nan_mode="null").decode() if value else "{}"
