"""The events that agents says."""

from __future__ import annotations

from typing import ClassVar

from shared.bus import Event


class AgentsEvent(Event):
    """Base of agents' events."""

    publisher: ClassVar[str] = "agents"


class ErasureCompleted(AgentsEvent):
    """Agents holds nothing of an erased account any more."""

    kind: ClassVar[str] = "erasure.completed.v1"
    account_id: str
    service: str = "agents"
