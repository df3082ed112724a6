"""The HTTP door of issues (runs contract, section 3.6)."""

from __future__ import annotations

from typing import Final

from services.runs.issues import operations
from services.runs.issues.models import (
    Comment,
    Issue,
    IssueChange,
    IssueItem,
    IssueQuery,
    NewComment,
)
from shared.api import Call, Empty, Operation
from shared.pagination import OffsetPage

_HOME: Final = "/api/v1/issues"
_ONE: Final = _HOME + "/{id}"
_TAG: Final = "Issues"


async def index(call: Call[Empty, IssueQuery]) -> OffsetPage[IssueItem]:
    """``GET /api/v1/issues``."""
    return await operations.page(call.database, call.principal, call.query)


async def read(call: Call[Empty, Empty]) -> Issue:
    """``GET /api/v1/issues/{id}``."""
    return await operations.read(call.database, call.principal, call.path["id"])


async def change(call: Call[IssueChange, Empty]) -> Issue:
    """``PATCH /api/v1/issues/{id}``."""
    return await operations.change(call.database, call.principal, call.path["id"], call.body)


async def comment(call: Call[NewComment, Empty]) -> Comment:
    """``POST /api/v1/issues/{id}/comments``."""
    return await operations.comment(call.database, call.principal, call.path["id"], call.body)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path=_HOME,
        endpoint=index,
        summary="List issues, seen last first",
        answer=OffsetPage[IssueItem],
        query=IssueQuery,
        scope="runs:read",
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path=_ONE,
        endpoint=read,
        summary="Show an issue with its comments and activity",
        answer=Issue,
        scope="runs:read",
        errors=(404,),
        tag=_TAG,
    ),
    Operation(
        method="PATCH",
        path=_ONE,
        endpoint=change,
        summary="Change an issue's status, title, body or severity",
        answer=Issue,
        body=IssueChange,
        scope="runs:write",
        errors=(404,),
        tag=_TAG,
    ),
    Operation(
        method="POST",
        path=_ONE + "/comments",
        endpoint=comment,
        summary="Comment on an issue",
        answer=Comment,
        body=NewComment,
        scope="runs:write",
        errors=(404,),
        tag=_TAG,
    ),
)
