"""HTTP door of tasks (teams contract, sections 4 and 4.2)."""

from __future__ import annotations

from typing import Final

from services.teams.replays import operations as replays
from services.teams.replays.models import Signed
from services.teams.tasks import operations
from services.teams.tasks.models import TaskAnswer, TaskList, TaskQuery
from services.teams.teams import operations as teams
from shared.api import Call, Empty, Operation, Reply

ALL: Final = "/api/teams/tasks"
ONE: Final = ALL + "/{token_or_number}"
"""One template for both: the list is of a machine, the change is of a task."""


@replays.changing("POST")
async def create(call: Call[Empty, Empty], signed: Signed) -> Reply:
    """``POST /api/teams/tasks``."""
    return await operations.create(call.database, signed)


async def list_of(call: Call[Empty, TaskQuery]) -> Reply:
    """``GET /api/teams/tasks/{token}``."""
    page = await operations.list_of(call.database, replays.machine_of(call), call.query)
    return Reply(TaskList(tasks=page.tasks), headers=teams.next_page(page.next_after))


@replays.changing("PATCH")
async def change(call: Call[Empty, Empty], signed: Signed) -> Reply:
    """``PATCH /api/teams/tasks/{number}``."""
    return await operations.change(call.database, signed, call.path["token_or_number"])


def _row(method: str, path: str, endpoint: object, summary: str, **more: object) -> Operation:
    return Operation(
        method=method,
        path=path,
        endpoint=endpoint,  # type: ignore[arg-type]  # each is an endpoint
        summary=summary,
        authenticated=True,
        tag="Tasks",
        **more,  # type: ignore[arg-type]  # each is a field of Operation
    )


OPERATIONS: Final = (
    _row(
        "POST",
        ALL,
        create,
        "Give a member of a team a task",
        answer=TaskAnswer,
        status=201,
        raw=True,
        body_limit=256_000,
        errors=(400, 404, 409, 422),
    ),
    _row(
        "GET",
        ONE,
        list_of,
        "Read a team's tasks",
        answer=TaskList,
        query=TaskQuery,
        errors=(400, 404, 409),
    ),
    _row(
        "PATCH",
        ONE,
        change,
        "Claim, finish or cancel a task",
        answer=TaskAnswer,
        raw=True,
        body_limit=256_000,
        errors=(400, 404, 409),
    ),
)
