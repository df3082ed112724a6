"""Use cases of agents (agents contract, section 4.4)."""

from __future__ import annotations

from services.agents.agents.operations.changing import create, delete, update
from services.agents.agents.operations.reading import (
    MISSING,
    find_active,
    find_by_ids,
    list_page,
    read,
)
from services.agents.agents.operations.seeding import ensure_assistant
from services.agents.agents.store import delete_namespace as forget_namespace

__all__ = [
    "MISSING",
    "create",
    "delete",
    "ensure_assistant",
    "find_active",
    "find_by_ids",
    "forget_namespace",
    "list_page",
    "read",
    "update",
]
