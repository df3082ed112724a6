"""Use cases of pages.

looking   who may see which team, and what is shown of it
editing   what its owner does to it
"""

from __future__ import annotations

from services.teams.pages.operations.editing import (
    add_invite,
    delete,
    make,
    readmit_machine,
    remove_machine,
    remove_member,
    remove_skill,
    rename,
    revoke_invite,
    roll_back,
    save_member,
    save_skill,
    share,
)
from services.teams.pages.operations.looking import (
    as_clone,
    as_preview,
    by_person,
    by_token,
    count_machines,
    list_mine,
    look,
    machines_in,
)

__all__ = [
    "add_invite",
    "as_clone",
    "as_preview",
    "by_person",
    "by_token",
    "count_machines",
    "delete",
    "list_mine",
    "look",
    "machines_in",
    "make",
    "readmit_machine",
    "remove_machine",
    "remove_member",
    "remove_skill",
    "rename",
    "revoke_invite",
    "roll_back",
    "save_member",
    "save_skill",
    "share",
]
