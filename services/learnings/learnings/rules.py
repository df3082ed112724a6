"""Decisions about learnings that need no database (learnings surface, sections 4.1, 5.1, 6.2)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from services.learnings.learnings.models import (
    Author,
    Content,
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
    project = body.metadata.get("origin_project", "")
    sent = {name: getattr(body, name) for name in body.model_fields_set & _EXTRA}
    return Content(
        summary=body.summary,
        detail=body.detail,
        tags=body.tags,
        impact=body.impact,
        status=body.status.value,
        type=body.type,
        source_project=body.source_project or None,
        origin_project=project if _ORIGIN_PROJECT.fullmatch(project) else None,
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
    return replace(content, **fields)
