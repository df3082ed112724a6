"""Use cases of going and being forgotten, by topic."""

from __future__ import annotations

from services.auth.erasures.operations.answers import list_erasures, note_answer
from services.auth.erasures.operations.deletion import erase, prove
from services.auth.erasures.operations.export import (
    export_all,
    read_account,
)
from services.auth.erasures.operations.teams_export import export_for_teams

__all__ = [
    "erase",
    "export_all",
    "export_for_teams",
    "list_erasures",
    "note_answer",
    "prove",
    "read_account",
]
