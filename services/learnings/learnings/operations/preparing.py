"""Making ready for the store what a writer sent: redacted, hashed, with its keys."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from services.learnings.learnings import rules
from services.learnings.learnings.models import Content, Entry, Prepared
from services.learnings.redaction.operations import redact, redact_json, redact_metadata
from services.learnings.search.operations import grams_of

SMALL: Final = 4
"""Entries that are made ready at once; more go to a thread, as they would hold up others."""


async def prepare_all(org_id: str, entries: Sequence[Entry]) -> list[Prepared]:
    """Make entries ready, in their order."""
    if len(entries) <= SMALL:
        return [prepare(org_id, entry) for entry in entries]
    return await asyncio.to_thread(lambda: [prepare(org_id, entry) for entry in entries])


def prepare(org_id: str, entry: Entry) -> Prepared:
    """Make an entry ready: hash as it was sent, redact, take our own counter out of its clock."""
    sent = entry.content
    clock, server_clock = rules.split_clock(org_id, sent.vector_clock)
    content = redacted(
        replace(
            sent,
            sync_hash=sent.sync_hash or rules.sync_hash_of(sent),
            vector_clock=clock,
            origin_project=rules.origin_project_of(sent.metadata),
        )
    )
    return Prepared(
        entry=replace(entry, content=content),
        is_canary=rules.is_canary(entry),
        text_hash=rules.text_hash(content.summary, content.detail),
        grams=grams_of(org_id, content.summary, content.tags),
        bands=rules.bands(org_id, content.summary),
        server_clock=server_clock,
    )


def redacted(content: Content) -> Content:
    """Take out of a content what must not be kept; ``metadata.redacted`` tells that something was.

    The tags and the optional fields are redacted like the texts, because nothing that is stored
    may show an absolute path, an address or a secret (section 8).
    """
    summary, detail = redact(content.summary), redact(content.detail)
    together = "\n".join(content.tags)
    is_clean = redact(together) is together
    tags = content.tags if is_clean else [redact(tag) for tag in content.tags]
    metadata = redact_metadata(content.metadata) if content.metadata else content.metadata
    extra: Any = redact_json(content.extra) if content.extra else content.extra
    if (
        summary is content.summary
        and detail is content.detail
        and metadata is content.metadata
        and extra is content.extra
        and tags == content.tags
    ):
        return content
    return replace(
        content,
        summary=summary,
        detail=detail,
        tags=list(dict.fromkeys(tags)),
        metadata={**metadata, "redacted": "true"},
        extra=extra,
    )
