"""The HTTP door of learnings (learnings surface, section 4)."""

from __future__ import annotations

from typing import Any, Final

from services.learnings.learnings import operations, rules
from services.learnings.learnings.models import (
    Learning,
    LearningChange,
    LearningPage,
    LearningQuery,
    Likeness,
    NewLearning,
)
from services.learnings.search.operations import Searcher
from services.learnings.settings import LearningsSettings
from shared.api import Call, Operation, Reply
from shared.pagination import page_json


async def create(call: Call[NewLearning, Any]) -> Reply:
    """Record a learning: 201, or 200 when the writer's own id is known already."""
    settings = call.resource(LearningsSettings)
    shown = await operations.record(
        call.database,
        rules.author_of(call.principal),
        call.body,
        Likeness.of(settings),
        key_quota=settings.key_quota,
    )
    return Reply(shown.json.encode(), status=201 if shown.is_new else 200)


async def index(call: Call[Any, LearningQuery]) -> Reply:
    """List the organization's learnings."""
    org_id = rules.author_of(call.principal).org_id
    items, total = await operations.page(call.database, org_id, call.query, call.resource(Searcher))
    return Reply(page_json(items, total, call.query))


async def show(call: Call[Any, Any]) -> Reply:
    """Show one learning."""
    org_id = rules.author_of(call.principal).org_id
    shown = await operations.show(call.database, org_id, call.path["id"])
    return Reply(shown.json.encode())


async def change(call: Call[LearningChange, Any]) -> Reply:
    """Change a learning."""
    org_id = rules.author_of(call.principal).org_id
    shown = await operations.change(
        call.database,
        org_id,
        call.path["id"],
        call.body,
        likeness=Likeness.of(call.resource(LearningsSettings)),
        by_platform_admin=call.principal.is_platform_admin,
    )
    return Reply(shown.json.encode())


async def retire(call: Call[Any, Any]) -> Reply:
    """Retire a learning."""
    org_id = rules.author_of(call.principal).org_id
    await operations.retire(call.database, org_id, call.path["id"])
    return Reply(None)


def _change_at(path: str, summary: str) -> Operation:
    return Operation(
        method="PATCH",
        path=path,
        endpoint=change,
        summary=summary,
        answer=Learning,
        body=LearningChange,
        scope="learnings:write",
        tag="Learnings",
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/learnings",
        endpoint=index,
        summary="List the organization's learnings",
        answer=LearningPage,
        query=LearningQuery,
        scope="learnings:read",
        tag="Learnings",
    ),
    Operation(
        method="POST",
        path="/v1/learnings",
        endpoint=create,
        summary="Record a learning",
        answer=Learning,
        status=201,
        body=NewLearning,
        scope="learnings:write",
        idempotent=True,
        errors=(409,),
        tag="Learnings",
    ),
    Operation(
        method="GET",
        path="/v1/learnings/{id}",
        endpoint=show,
        summary="Show a learning",
        answer=Learning,
        scope="learnings:read",
        tag="Learnings",
    ),
    _change_at("/v1/learnings/{id}", "Change a learning's status, tags, texts or impact"),
    Operation(
        method="DELETE",
        path="/v1/learnings/{id}",
        endpoint=retire,
        summary="Retire a learning: it stays as obsolete, so that its end reaches every client",
        answer=None,
        status=204,
        scope="learnings:write",
        tag="Learnings",
    ),
    _change_at("/v1/learnings/{id}/status", "The same under the path that older clients use"),
)
