"""Decisions about messages. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from pydantic_core import to_json

from services.agents.messages.models import DEFAULT_LIMIT, MOST, MessageQuery
from shared.pagination import TOTAL_CAP
from shared.principal import Principal

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def caller_of(principal: Principal) -> str:
    """Write down, as JSON, as whom knowledge is looked up for a message."""
    kept = {
        "kind": principal.kind.value,
        "subject": principal.subject,
        "org": principal.org,
        "account": principal.account,
        "session": principal.session,
    }
    return to_json(kept).decode()


def storable(text: str) -> str:
    """Replace what PostgreSQL's text cannot hold: NUL, and halves of surrogate pairs."""
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\x00", _REPLACEMENT)


def limit_of(query: MessageQuery, is_space: bool) -> int:
    """Give how many messages an answer may have, by the dialect unless it was said."""
    return query.limit or (MOST if is_space else DEFAULT_LIMIT)


def list_headers(
    session_id: UUID, query: MessageQuery, limit: int, total: int, shown: int
) -> dict[str, str]:
    """Write ``X-Total-Count`` and ``Link`` (RFC 8288) of a list, with the query's filters.

    Args:
        session_id: whose messages.
        query: what was asked.
        limit: messages of one answer.
        total: messages over all pages, counted up to ``TOTAL_CAP``; the last page is then unknown.
        shown: messages of this answer.
    """
    filters: dict[str, str] = {}
    if query.role is not None:
        filters["role"] = query.role
    if query.since is not None:
        filters["since"] = query.since.isoformat(timespec="microseconds").replace("+00:00", "Z")
    is_capped = total >= TOTAL_CAP
    last = max(0, (total - 1) // limit * limit)
    offsets = {"first": 0}
    if query.offset > 0:
        before = max(0, query.offset - limit)
        offsets["prev"] = before if is_capped else min(before, last)
    after = query.offset + limit
    if after < total or (is_capped and shown == limit):
        offsets["next"] = after
    if not is_capped:
        offsets["last"] = last
    path = f"/api/v0/sessions/{session_id}/messages"
    links = [
        f'<{path}?{urlencode(filters | {"offset": offset, "limit": limit})}>; rel="{name}"'
        for name, offset in offsets.items()
    ]
    return {"x-total-count": str(total), "link": ", ".join(links)}
