"""Use cases of sessions."""

from __future__ import annotations

from services.agents.sessions.operations.bell import Bell
from services.agents.sessions.operations.changing import (
    change_state,
    close,
    delete,
    restore,
    update,
)
from services.agents.sessions.operations.creating import create, remix
from services.agents.sessions.operations.listing import list_page
from services.agents.sessions.operations.showing import read, read_usage
from services.agents.sessions.operations.sweeping import sweep
from services.agents.sessions.operations.totals import Totals

__all__ = [
    "Bell",
    "Totals",
    "change_state",
    "close",
    "create",
    "delete",
    "list_page",
    "read",
    "read_usage",
    "remix",
    "restore",
    "sweep",
    "update",
]
