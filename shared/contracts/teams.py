"""The events that teams says."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from shared.bus import Event


class TeamsEvent(Event):
    """Base of teams' events."""

    publisher: ClassVar[str] = "teams"


class TeamCreated(TeamsEvent):
    """A team was made; ``owner`` is an account, or empty while nobody owns it."""

    kind: ClassVar[str] = "team.created.v1"
    team_id: str
    name: str
    owner: str = ""


class TeamChanged(TeamsEvent):
    """Something of a team that readers see has changed, other than its tasks.

    ``revision`` rises with each change, so that a late event can be told from a new one.
    """

    kind: ClassVar[str] = "team.changed.v1"
    team_id: str
    revision: int
    version: int
    hash: str


class TeamDeleted(TeamsEvent):
    """A team was deleted by its owner."""

    kind: ClassVar[str] = "team.deleted.v1"
    team_id: str


class TeamJoined(TeamsEvent):
    """A machine became a member."""

    kind: ClassVar[str] = "team.joined.v1"
    team_id: str
    token: str


class TeamLeft(TeamsEvent):
    """A machine is no member any more."""

    kind: ClassVar[str] = "team.left.v1"
    team_id: str
    token: str


class KnowledgeChanged(TeamsEvent):
    """The knowledge of a team changed; ``number`` is that of the news which tells it."""

    kind: ClassVar[str] = "knowledge.changed.v1"
    team_id: str
    number: int
    knowledge_hash: str


class TaskCreated(TeamsEvent):
    """A task was made; ``number`` is that of the news which tells it."""

    kind: ClassVar[str] = "task.created.v1"
    team_id: str
    number: int
    task: int
    assignee: str


class TaskChanged(TeamsEvent):
    """A task changed its status; ``number`` is that of the news which tells it."""

    kind: ClassVar[str] = "task.changed.v1"
    team_id: str
    number: int
    task: int
    status: str


class MachineSeen(TeamsEvent):
    """A machine was heard of; said at most once a minute of each."""

    kind: ClassVar[str] = "machine.seen.v1"
    token: str
    at: datetime


class ErasureCompleted(TeamsEvent):
    """Teams holds nothing of an erased account any more."""

    kind: ClassVar[str] = "erasure.completed.v1"
    account_id: str
    service: str = "teams"
