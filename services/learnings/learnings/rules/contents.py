"""Decisions about learnings that need no database (learnings surface, sections 4.1, 5.1, 6.2)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from pydantic_core import to_json

from services.learnings.learnings.models import (
    Author,
    Content,
    Entry,
    Extra,
    LearningChange,
    NewLearning,
)
from shared.errors import Forbidden, Invalid
from shared.principal import Principal

ID_LENGTH: Final = 16
"""Base-62 characters of a server id: 95 bits, so that no two ever meet."""

_INSTALLATION: Final = re.compile(r"[0-9a-f]{16}")
_ORIGIN_PROJECT: Final = re.compile(r"(?:git|ns):[0-9a-f]{16}")
_EXTRA: Final = frozenset(Extra.model_fields)


def author_of(principal: Principal) -> Author:
    """Say whose writing this is.

    Raises:
        Forbidden: the caller acts in no organization.
    """
    if not principal.org:
        raise Forbidden("An organization is needed")
    return Author(principal.org, principal.subject, principal.account)


def origin_of(author: Author, body: NewLearning) -> str:
    """Name the writer for the natural key: its installation, else its key or person."""
    if body.source_project and _INSTALLATION.fullmatch(body.source_project):
        return body.source_project
    return author.subject


def content_of(body: NewLearning) -> Content:
    """Take what is stored out of a request body."""
    sent = {name: getattr(body, name) for name in body.model_fields_set & _EXTRA}
    return Content(
        summary=body.summary,
        detail=body.detail,
        tags=body.tags,
        impact=body.impact,
        status=body.status.value,
        type=body.type,
        source_project=body.source_project or None,
        origin_project=origin_project_of(body.metadata),
        client_id=body.client_id or None,
        vector_clock=body.vector_clock,
        metadata=body.metadata,
        sync_hash=body.sync_hash,
        extra={name: value for name, value in sent.items() if value is not None},
    )


def changed(content: Content, change: LearningChange) -> Content:
    """Lay a change over a content; only the fields that were sent count.

    Raises:
        Invalid: no field was sent.
    """
    fields: dict[str, Any] = {name: getattr(change, name) for name in change.model_fields_set}
    if not fields:
        names = ", ".join(LearningChange.model_fields)
        raise Invalid.field("body", msg=f"give at least one of {names}", type="missing")
    fields.pop("tier", None)  # not the writer's to say
    return replace(content, **fields)


def is_key(author: Author) -> bool:
    """Tell whether a key wrote, and not a person."""
    return author.subject.startswith("key_")


CANARY_ID: Final = re.compile(r"canary-[0-9]+")
CLOCK_LIMIT: Final = 2**53
"""From here on a counter is nonsense, and taken for nothing."""


def origin_of_client(client_id: str) -> str:
    """Name the writer of a push: the installation that the client's name ends with, else all."""
    tail = client_id.rpartition("-")[2]
    return tail if _INSTALLATION.fullmatch(tail) else client_id


def is_canary(entry: Entry) -> bool:
    """Tell a probe from a learning (section 6.7)."""
    if entry.content.metadata.get("system_canary") == "true":
        return True
    return entry.source_id is not None and CANARY_ID.fullmatch(entry.source_id) is not None


@lru_cache(maxsize=4096)
def server_node(org_id: str) -> str:
    """Give the organization's own node in vector clocks: 16 hex digits that nobody else uses."""
    return hashlib.sha256(org_id.encode()).hexdigest()[:16]


def split_clock(org_id: str, clock: Mapping[str, int]) -> tuple[Mapping[str, int], int]:
    """Take our own node out of a clock: what is left, and how far our counter had come there."""
    node = server_node(org_id)
    if node not in clock:
        return clock, 0
    seen = clock[node]
    rest = {name: count for name, count in clock.items() if name != node}
    return rest, seen if seen < CLOCK_LIMIT else 0


def sync_hash_of(content: Content) -> str:
    """Hash what a writer sent, where the writer sent no hash of its own."""
    parts = [
        content.summary,
        content.detail,
        content.tags,
        content.impact,
        content.status,
        content.type,
        content.source_project,
        sorted(content.vector_clock.items()),
        sorted(content.metadata.items()),
        sorted(content.extra.items(), key=itemgetter(0)),
    ]
    return hashlib.sha256(to_json(parts, inf_nan_mode="null")).hexdigest()


def feed_ids(learning_id: str, origin: str, source_id: str | None) -> Sequence[str]:
    """Give the ids under which peers may come to know a learning; the first that is free holds."""
    if source_id is None:
        return (learning_id,)
    tail = hashlib.sha256(origin.encode()).hexdigest()[:8]
    return (source_id, f"{source_id}-{tail}", learning_id)


def origin_project_of(metadata: Mapping[str, str]) -> str | None:
    """Take the project's name out of the metadata, where it is one."""
    project = metadata.get("origin_project", "")
    return project if _ORIGIN_PROJECT.fullmatch(project) else None
