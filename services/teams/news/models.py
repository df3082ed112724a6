"""What sockets are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Topic = Literal["knowledge", "tasks"]


@dataclass(frozen=True, slots=True)
class News:
    """One message of a topic (teams contract, section 10.4).

    Attributes:
        team_id: whose.
        number: from 1 per team, without a gap, in the order of commits.
        topic: ``<topic>:<team_id>`` on sockets.
        event: such as ``knowledge:updated``.
        payload: its JSON.
        source: who is not told: ``token:<token>``, ``socket:<id>``, or empty.
    """

    team_id: str
    number: int
    topic: Topic
    event: str
    payload: bytes
    source: str
