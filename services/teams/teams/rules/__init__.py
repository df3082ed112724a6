"""How a team's content is read, compared, changed and written: pure functions."""

from __future__ import annotations

from services.teams.teams.rules.canonical import (
    hashes_of,
    knowledge_hash,
    members_hash,
    skills_hash,
    team_hash,
)
from services.teams.teams.rules.changing import Clash, create, is_same, settle, summary_of
from services.teams.teams.rules.merging import merge
from services.teams.teams.rules.ordering import ordered, prepare
from services.teams.teams.rules.pruning import CAP, knowledge_after, prune
from services.teams.teams.rules.reading import (
    LONGEST_KNOWLEDGE,
    is_storable,
    read_base_hash,
    read_change,
    size_of,
)
from services.teams.teams.rules.writing import (
    clone_data,
    content_of,
    members_from,
    members_json,
    parts_of,
    platforms_from,
    platforms_json,
    preview_data,
    skills_from,
    skills_json,
    team_data,
)

__all__ = [
    "CAP",
    "LONGEST_KNOWLEDGE",
    "Clash",
    "clone_data",
    "content_of",
    "create",
    "hashes_of",
    "is_same",
    "is_storable",
    "knowledge_after",
    "knowledge_hash",
    "members_from",
    "members_hash",
    "members_json",
    "merge",
    "ordered",
    "parts_of",
    "platforms_from",
    "platforms_json",
    "prepare",
    "preview_data",
    "prune",
    "read_base_hash",
    "read_change",
    "settle",
    "size_of",
    "skills_from",
    "skills_hash",
    "skills_json",
    "summary_of",
    "team_data",
    "team_hash",
]
