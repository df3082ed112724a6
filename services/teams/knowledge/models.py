"""What is told of a team's knowledge."""

from __future__ import annotations

from dataclasses import dataclass

from shared.api import Answer


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
