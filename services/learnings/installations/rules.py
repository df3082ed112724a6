"""Who a client is, and what is kept of what it says of itself (section 5.3)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from services.learnings.installations.models import TEXT_LIMIT, Seen, Sighting
from services.learnings.redaction.operations import redact
from shared.principal import Kind, Principal

KEY_PREFIX: Final = "key:"
UNKNOWN: Final = "unknown"

_SYNC_ID: Final = re.compile(r"sync-(.{0,200})-([0-9a-f]{16})", re.DOTALL)
_OWN_ID: Final = re.compile(r"[0-9a-f]{16}|inst-[0-9a-f]{12}")
_UNSTORABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_FACTS: Final = (
    *("client_profile", "framework_version", "model_family", "os_platform", "python_version"),
    "project",
)
_CURSORS: Final = ("pulled_to", "company_pulled_to")
_COUNTERS: Final = ("pushed", "events", "outcomes")
_LARGEST: Final = 2**62
_MOST_AT_ONCE: Final = 1_000_000


def origin_of(client_id: str) -> str:
    """Give the installation that a sync client's id names, else the whole id (section 6.2)."""
    match = _SYNC_ID.fullmatch(client_id)
    return client_id if match is None else match[2]


def profile_of(client_id: str) -> str:
    """Give the client profile that a sync client's id names, else nothing."""
    match = _SYNC_ID.fullmatch(client_id)
    return "" if match is None else match[1]


def seen(
    principal: Principal, client_id: str = "", installation_id: str = "", **facts: Any
) -> Sighting:
    """Make a sighting of what a caller said of itself.

    Old clients send their project's name in place of an id.
    """
    profile = profile_of(client_id)
    if profile:
        facts["client_profile"] = facts.get("client_profile") or profile
    if installation_id.lower() not in ("", UNKNOWN) and not _OWN_ID.fullmatch(installation_id):
        facts["project"] = facts.get("project") or installation_id
    return Sighting(
        org_id=principal.org,
        installation_id=installation_id or origin_of(client_id),
        key_id=principal.subject if principal.kind is Kind.API_KEY else "",
        **facts,
    )


def text_of(value: object) -> str:
    """Cut a text to what can be stored and may be kept; anything that is no text is none."""
    return redact(_UNSTORABLE.sub("", value[:TEXT_LIMIT])).strip() if isinstance(value, str) else ""


def own_id_of(sighting: Sighting) -> str:
    """Give the client's own id, empty where it has none of its own."""
    own = text_of(sighting.installation_id)
    # A key's id where no installation's is known says no more than the key itself.
    return "" if own.lower() == UNKNOWN or own == sighting.key_id else own


def begin(sighting: Sighting, new_id: str, own: str, at: datetime) -> Seen:
    """Begin the row of an installation; ``own`` is its own id, empty where it has none."""
    return Seen(
        org_id=sighting.org_id,
        identity=own or KEY_PREFIX + sighting.key_id,
        id=new_id,
        installation_id=own or None,
        key_id=sighting.key_id,
        seen_at=at,
    )


def add(row: Seen, sighting: Sighting, at: datetime) -> None:
    """Lay a sighting over a row: the newest fact counts, of the project the first."""
    row.seen_at = at
    for name in _FACTS:
        value = getattr(sighting, name)
        if value and not (name == "project" and row.project) and (text := text_of(value)):
            setattr(row, name, text)
    for name in _COUNTERS:
        count = getattr(sighting, name)
        if count:
            setattr(row, name, getattr(row, name) + max(0, min(count, _MOST_AT_ONCE)))
    for name in _CURSORS:
        cursor = getattr(sighting, name)
        if cursor is not None:
            setattr(row, name, max(0, min(cursor, _LARGEST)))


def join(older: Seen, newer: Seen) -> Seen:
    """Make one row of two of the same installation; the second was seen later."""
    for name in (*_FACTS, *_CURSORS):
        value = getattr(newer, name)
        if value not in ("", None) and not (name == "project" and older.project):
            setattr(older, name, value)
    for name in _COUNTERS:
        setattr(older, name, getattr(older, name) + getattr(newer, name))
    older.key_id = newer.key_id or older.key_id
    older.seen_at = max(older.seen_at, newer.seen_at)
    return older
