"""Who holds what on the agents surface, by a copy of access that events and snapshots keep."""

from __future__ import annotations

from services.agents.access.operations.hearing import (
    end_organization,
    forget_slug,
    hear_binding,
    hear_role,
    hear_service_account,
    note_organization,
    slug_of,
)
from services.agents.access.operations.holding import Access

__all__ = [
    "Access",
    "end_organization",
    "forget_slug",
    "hear_binding",
    "hear_role",
    "hear_service_account",
    "note_organization",
    "slug_of",
]
