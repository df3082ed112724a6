"""What a request about tasks must look like, and what may become of a task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from services.teams.tasks.models import MOST_NUMBER, NewTask, Status, Step
from shared.errors import BadRequest

LONGEST_DESCRIPTION: Final = 2_000
LONGEST_ASSIGNEE: Final = 64
LONGEST_RESULT: Final = 10_000
"""Bytes, all three, although the sentences say characters (teams contract, section 4.1)."""

MOST: Final = 1_000
"""Tasks that a team may ever have."""

NO_MEMBER: Final = "assignee is not a team member"
TOO_MANY: Final = f"task limit exceeded (max {MOST} per team)"
NO_TASK: Final = "task not found"
NO_STEP: Final = "invalid status transition"

STEPS: Final[Mapping[Status, frozenset[Status]]] = {
    Status.TODO: frozenset({Status.IN_PROGRESS, Status.CANCELLED}),
    Status.IN_PROGRESS: frozenset({Status.DONE, Status.CANCELLED, Status.FAILED}),
    Status.DONE: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.FAILED: frozenset(),
}
"""Where a task may go from where it stands (section 4.2)."""

_NUMBER: Final = re.compile(r"[0-9]{1,10}")


def befores(status: Status) -> list[Status]:
    """Give from where a task may come to stand there."""
    return [before for before, afters in STEPS.items() if status in afters]


def read_new(body: Mapping[str, Any]) -> NewTask:
    """Read the body of ``POST /api/teams/tasks``.

    Raises:
        BadRequest: naming the first field that is wrong.
    """
    description = _text(body, "description", LONGEST_DESCRIPTION)
    return NewTask(description, _text(body, "assignee", LONGEST_ASSIGNEE))


def read_step(number: str, body: Mapping[str, Any]) -> Step:
    """Read the path and the body of ``PATCH /api/teams/tasks/{number}``.

    Raises:
        BadRequest: the status, the result or the number is none, in this order.
    """
    if body.get("status") is None:
        raise BadRequest("status is required")
    status, result = read_status(body["status"]), body.get("result")
    if result is not None:
        if not isinstance(result, str):
            raise BadRequest("result must be a string")
        if _is_longer(result, LONGEST_RESULT):
            raise BadRequest(f"result must be {LONGEST_RESULT} characters or fewer")
    return Step(read_number(number), status, result)


def read_status(value: object) -> Status:
    """Read a status.

    Raises:
        BadRequest: there is none of that name.
    """
    for status in Status:
        if value == status.value:
            return status
    raise BadRequest(f"status must be one of: {', '.join(Status)}")


def read_number(text: str) -> int:
    """Read the number of a task, which may not exist.

    Raises:
        BadRequest: it is no number, or one that no task can have.
    """
    if not _NUMBER.fullmatch(text) or int(text) > MOST_NUMBER:
        raise BadRequest("invalid task number")
    return int(text)


def _text(body: Mapping[str, Any], field: str, longest: int) -> str:
    text = body.get(field)
    if text is None:
        raise BadRequest(f"{field} is required")
    if not isinstance(text, str):
        raise BadRequest(f"{field} must be a string")
    if not text.strip():
        raise BadRequest(f"{field} must not be empty")
    if _is_longer(text, longest):
        raise BadRequest(f"{field} must be {longest} characters or fewer")
    return text


def _is_longer(text: str, longest: int) -> bool:
    return len(text) > longest or len(text.encode()) > longest
