"""What is learned from an issue of the runs surface that was closed with its cause found out."""

from __future__ import annotations

from typing import Final

from services.learnings.learnings.models import NAME_LIMIT, TEXT_LIMIT, Content, Entry, Status
from shared.contracts.runs import IssueClosed

IMPACT: Final = 0.7
"""A cause that somebody found out is worth more than the average learning."""


def entry_of_issue(event: IssueClosed) -> Entry | None:
    """Make a learning of a closed issue; None where nobody found out what had gone wrong."""
    cause = _plain(event.root_cause).strip()
    if not cause:
        return None
    summary = _plain(event.title).strip() or cause.splitlines()[0]
    content = Content(
        summary=summary[:TEXT_LIMIT],
        detail=_detail(event, cause)[:TEXT_LIMIT],
        tags=_tags(event),
        impact=IMPACT,
        status=Status.ACTIVE.value,
        type="incident",
        source_project=None,
        origin_project=None,
        client_id=None,
        vector_clock={},
        metadata={"issue_id": event.issue_id, "fingerprint": _plain(event.fingerprint)},
        sync_hash=None,
        extra={},
    )
    return Entry(
        content,
        origin=f"issue:{event.issue_id}",
        source_id=event.issue_id,
        came_by="event",
        client_seq=event.version,
    )


def _detail(event: IssueClosed, cause: str) -> str:
    parts = [f"Root cause: {cause}"]
    if resolution := _plain(event.resolution).strip():
        parts.append(f"Resolution: {resolution}")
    if event.evidence:
        parts.append("Evidence:\n" + "\n".join(f"- {_plain(item)}" for item in event.evidence))
    return "\n\n".join(parts)


def _tags(event: IssueClosed) -> list[str]:
    suite = _plain(event.suite).strip()[:NAME_LIMIT]
    return ["incident", "test-issue", *([suite] if suite else [])]


def _plain(text: str) -> str:
    """Leave out what PostgreSQL keeps in no text."""
    return text.replace("\0", "")
