"""The SQL of teams.

reading   which team a machine means, and what it consists of
writing   making a team and changing its content
deleting  what is left of it
"""

from __future__ import annotations

from services.teams.teams.store.deleting import delete
from services.teams.teams.store.reading import (
    find,
    find_by_id,
    find_head,
    list_of,
    lock,
    lock_by_id,
    lock_knowledge,
)
from services.teams.teams.store.writing import add_member, insert, write

__all__ = [
    "add_member",
    "delete",
    "find",
    "find_by_id",
    "find_head",
    "insert",
    "list_of",
    "lock",
    "lock_by_id",
    "lock_knowledge",
    "write",
]
