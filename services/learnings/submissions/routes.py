"""The HTTP door of submissions (learnings contract, section 4.2)."""

from __future__ import annotations

from typing import Final

from services.learnings.submissions import operations
from services.learnings.submissions.models import (
    NewSubmission,
    Submission,
    SubmissionQuery,
    SubmissionReceipt,
)
from shared.api import Call, Empty, Operation
from shared.pagination import Page


async def submit(call: Call[NewSubmission, Empty]) -> SubmissionReceipt:
    """``POST /v1/submissions``: exactly 200, or clients take it for a failure."""
    return await operations.submit(call.database, call.principal, call.body)


async def index(call: Call[Empty, SubmissionQuery]) -> Page[Submission]:
    """``GET /v1/admin/submissions``."""
    return await operations.page(call.database, call.principal, call.query)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="POST",
        path="/v1/submissions",
        endpoint=submit,
        summary="Write to the people who run the platform",
        answer=SubmissionReceipt,
        body=NewSubmission,
        scope="submissions:write",
        idempotent=True,
        errors=(429,),
        tag="Submissions",
    ),
    Operation(
        method="GET",
        path="/v1/admin/submissions",
        endpoint=index,
        summary="List what users wrote, newest first",
        answer=Page[Submission],
        query=SubmissionQuery,
        admin=True,
        tag="Admin",
    ),
)
