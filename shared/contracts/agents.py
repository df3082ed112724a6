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


class NamespaceClaimed(AgentsEvent):
    """Something was put into a namespace for the first time; said once of each."""

    kind: ClassVar[str] = "namespace.claimed.v1"
    namespace: str


class AgentChanged(AgentsEvent):
    """An agent was made, changed, deleted (``active`` is then false) or restored.

    ``version`` rises with each change, so that a late event can be told from a new one.
    """

    kind: ClassVar[str] = "agent.changed.v1"
    agent_id: str
    namespace: str
    name: str
    active: bool
    version: int


class SessionCreated(AgentsEvent):
    """A session was made; ``account_id`` is the owner's, empty where no person owns it."""

    kind: ClassVar[str] = "session.created.v1"
    session_id: str
    namespace: str
    state: str
    parent_session_id: str | None = None
    account_id: str = ""
    number: int


class SessionChanged(AgentsEvent):
    """A session went to another state, or was edited or deleted (``state`` DELETED).

    ``number`` rises with everything that happens in the session.
    """

    kind: ClassVar[str] = "session.changed.v1"
    session_id: str
    namespace: str
    state: str
    number: int


class MessagePosted(AgentsEvent):
    """A message was added to a session; its text is read where it is."""

    kind: ClassVar[str] = "message.posted.v1"
    session_id: str
    namespace: str
    message_id: str
    role: str
    number: int
