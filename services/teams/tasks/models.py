"""Tasks as they are asked for, kept and told (teams contract, section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from shared.api import Answer, Query

MOST_NUMBER: Final = 2**31 - 1
"""No task has a number above it."""


class Status(StrEnum):
    """Where a task stands."""

    TODO = "todo"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Task(Answer):
    """One task; those who made and claimed it are full tokens, which only members are shown."""

    number: int
    description: str
    assignee: str
    status: str
    created_by: str
    claimed_by: str | None
    claimed_at: datetime | None
    completed_at: datetime | None
    result: str | None
    inserted_at: datetime
    updated_at: datetime


class TaskAnswer(Answer):
    """One task, as it is answered and as sockets are told."""

    task: Task


class TaskList(Answer):
    """``GET /api/teams/tasks/{token}``, ascending by number."""

    tasks: list[Task]


class TaskQuery(Query):
    """Which tasks of which team; without ``limit`` all of them."""

    team_id: str | None = None
    status: str | None = None
    assignee: str | None = None
    limit: Annotated[int, Field(ge=1, le=500)] | None = None
    after: Annotated[int, Field(ge=0, le=MOST_NUMBER)] = 0


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task as it is asked for."""

    description: str
    assignee: str


@dataclass(frozen=True, slots=True)
class Step:
    """What is to become of a task.

    Attributes:
        number: of the task.
        status: where it is to stand.
        result: what came of it; None leaves it as it is.
    """

    number: int
    status: Status
    result: str | None


@dataclass(frozen=True, slots=True)
class Filters:
    """Which tasks of a team are listed; None for all."""

    status: str | None
    assignee: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """Tasks of a list, and after which number the next page begins; None at the end."""

    tasks: list[Task]
    next_after: int | None


@dataclass(frozen=True, slots=True)
class LockedTeam:
    """A team whose tasks nobody else changes until the transaction ends.

    Attributes:
        id: of the team.
        task_number: the number given out last, which is also how many tasks it has.
        has_member: whether the member that was asked about is one of its members.
    """

    id: str
    task_number: int
    has_member: bool


@dataclass(frozen=True, slots=True)
class TasksJoined:
    """What a socket that joins is told, and the number of the newest news that it covers.

    ``tasks`` is the JSON array of all tasks, of the same moment as the number.
    """

    number: int
    tasks: bytes
