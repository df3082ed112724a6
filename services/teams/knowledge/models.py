"""What is told of a team's knowledge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from shared.api import Answer, Body


class KnowledgeStored(Answer):
    """``POST /api/teams/knowledge``, and the reply to ``knowledge:push``; the size in bytes."""

    knowledge_hash: str
    knowledge_size: int


@dataclass(frozen=True, slots=True)
class KnowledgeJoined:
    """What a socket that joins is told, and the number of the newest news that it covers."""

    number: int
    knowledge_hash: str
    knowledge_size: int


class KnowledgeQuestion(Body):
    """``POST /internal/teams/knowledge``: which team's, and who wants to know."""

    account_id: Annotated[str, Field(max_length=300)]
    team_id: Annotated[str, Field(max_length=300)]


class SkillText(Answer):
    """What one of a team's skills says."""

    id: str
    title: str
    description: str
    body: str


class TeamKnowledge(Answer):
    """What a team knows, but for its members; all is empty where nothing is for the account."""

    found: bool
    name: str = ""
    knowledge: str = ""
    skills: list[SkillText] = Field(default_factory=list)
