"""Use cases of tasks: give one, list them, take one a step further, follow them.

Every change holds the team's row, under which numbers are given out, so that of machines which
claim a task at once exactly one does.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from pydantic_core import to_json

from services.teams.news import operations as news
from services.teams.replays import operations as replays
from services.teams.replays.models import Done, Signed
from services.teams.tasks import rules, store
from services.teams.tasks.models import (
    Filters,
    LockedTeam,
    NewTask,
    Page,
    Step,
    Task,
    TaskAnswer,
    TaskQuery,
    TasksJoined,
)
from services.teams.teams import operations as teams
from shared.api import Reply
from shared.bus import outbox
from shared.contracts.teams import TaskChanged, TaskCreated
from shared.db import Connection, Database
from shared.errors import BadRequest, Conflict, LimitExceeded, NotFound

CREATED: Final = 201


async def create(database: Database, signed: Signed) -> Reply:
    """Give a member of a team a task (``POST /api/teams/tasks``).

    Says task.created, and tells the team's sockets, those of the maker too.

    Raises:
        BadRequest: a field is wrong, or there is no such member.
        NotFound: the machine has no such team.
        Conflict: it has several and names none.
        LimitExceeded: the team has as many tasks as it may.
    """
    task = rules.read_new(signed.body)
    team_id = teams.read_team_id(signed.body.get("team_id"))
    return await replays.once(database, signed, partial(_create, signed.token, team_id, task))


async def _create(token: str, team_id: str | None, wanted: NewTask, connection: Connection) -> Done:
    team = await _locked(connection, token, team_id, wanted.assignee)
    if not team.has_member:
        raise BadRequest(rules.NO_MEMBER)
    if team.task_number >= rules.MOST:
        raise LimitExceeded(rules.TOO_MANY)
    task = await store.insert(connection, team.id, token, wanted)
    body, number = await _tell(connection, team.id, "tasks:created", task)
    said = TaskCreated(team_id=team.id, number=number, task=task.number, assignee=task.assignee)
    await outbox.add(connection, said)
    return Done(body, CREATED)


async def change(database: Database, signed: Signed, number: str) -> Reply:
    """Take a task a step further (``PATCH /api/teams/tasks/{number}``).

    Says task.changed, and tells the team's sockets, those of the actor too.

    Raises:
        BadRequest: the status, the result or the number is none.
        NotFound: the machine has no such team, or that no such task.
        Conflict: it has several and names none, or the task may not go there from where it stands.
    """
    wanted = rules.read_step(number, signed.body)
    team_id = teams.read_team_id(signed.body.get("team_id"))
    return await replays.once(database, signed, partial(_change, signed.token, team_id, wanted))


async def _change(token: str, team_id: str | None, wanted: Step, connection: Connection) -> Done:
    team = await _locked(connection, token, team_id)
    befores = rules.befores(wanted.status)
    task = await store.step(connection, team.id, token, wanted, befores)
    if task is None:
        if await store.exists(connection, team.id, wanted.number):
            raise Conflict(rules.NO_STEP)
        raise NotFound(rules.NO_TASK)
    body, number = await _tell(connection, team.id, "tasks:updated", task)
    said = TaskChanged(team_id=team.id, number=number, task=task.number, status=task.status)
    await outbox.add(connection, said)
    return Done(body)


async def list_of(database: Database, token: str, query: TaskQuery) -> Page:
    """Give a team's tasks, all of them unless a limit is set.

    Raises:
        BadRequest: there is no such status.
        NotFound: the machine has no such team.
        Conflict: it has several and names none.
    """
    status = None if query.status is None else rules.read_status(query.status)
    team = await teams.head(database, token, teams.read_team_id(query.team_id))
    most = None if query.limit is None else query.limit + 1
    filters = Filters(status, query.assignee)
    async with database.connection() as connection:
        tasks = await store.list_of(connection, team.id, filters, query.after, most)
    if query.limit is None or len(tasks) <= query.limit:
        return Page(tasks, None)
    return Page(tasks[: query.limit], tasks[query.limit - 1].number)


async def join(database: Database, token: str, team_id: str) -> TasksJoined:
    """Give what a socket that joins is told.

    Raises:
        NotFound: there is no such team, or the machine is no member.
    """
    asked = teams.read_team_id(team_id)
    async with database.connection() as connection:
        found = asked and await store.joined(connection, token, asked)
    if not found:
        raise NotFound
    number, tasks = found
    return TasksJoined(number, to_json(tasks))


async def _locked(
    connection: Connection, token: str, team_id: str | None, member: str = ""
) -> LockedTeam:
    team, found = await store.lock(connection, token, team_id, member)
    if found > 1:
        raise Conflict(teams.MANY)
    if team is None:
        raise NotFound
    return team


async def _tell(connection: Connection, team_id: str, event: str, task: Task) -> tuple[bytes, int]:
    """Tell sockets of a task; give what they are told, and the number of that news."""
    told = TaskAnswer(task=task).model_dump_json()
    return told.encode(), await news.add(connection, team_id, "tasks", event, told, "")
