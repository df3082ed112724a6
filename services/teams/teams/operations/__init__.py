"""Use cases of teams.

resolving   which team a request means
changing    the one way in which a team's content changes
deleting    its end
saving      POST /api/teams
reading     what a team is told as
"""

from __future__ import annotations

from services.teams.teams.operations.changing import between, change, create, edit
from services.teams.teams.operations.deleting import delete
from services.teams.teams.operations.reading import (
    TeamContent,
    again,
    content_of,
    etag,
    head,
    is_named,
    next_page,
    read_all,
    read_content,
    read_one,
    team_bytes,
)
from services.teams.teams.operations.resolving import (
    MANY,
    find,
    lock,
    lock_knowledge,
    read_team_id,
    require_member,
)
from services.teams.teams.operations.saving import OWNER_ONLY, save
from services.teams.teams.rules import (
    clone_data,
    hashes_of,
    knowledge_after,
    members_from,
    platforms_from,
    prepare,
    preview_data,
    read_base_hash,
    read_change,
    skills_from,
)
from services.teams.teams.rules import create as content_from
from services.teams.teams.store import add_member, find_by_id, lock_by_id

__all__ = [
    "MANY",
    "OWNER_ONLY",
    "TeamContent",
    "add_member",
    "again",
    "between",
    "change",
    "clone_data",
    "content_from",
    "content_of",
    "create",
    "delete",
    "edit",
    "etag",
    "find",
    "find_by_id",
    "hashes_of",
    "head",
    "is_named",
    "knowledge_after",
    "lock",
    "lock_by_id",
    "lock_knowledge",
    "members_from",
    "next_page",
    "platforms_from",
    "prepare",
    "preview_data",
    "read_all",
    "read_base_hash",
    "read_change",
    "read_content",
    "read_one",
    "read_team_id",
    "require_member",
    "save",
    "skills_from",
    "team_bytes",
]
