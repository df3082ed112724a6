"""The HTTP door of search (learnings contract, section 6.4)."""

from __future__ import annotations

from typing import Any, Final

from services.learnings.search.models import Excerpts, SearchAnswer, SearchQuestion, SearchRequest
from services.learnings.search.operations import Searcher
from shared.api import Call, Empty, Operation, Reply
from shared.errors import Forbidden


async def search(call: Call[SearchRequest, Any]) -> Reply:
    """Search the organization's learnings."""
    org_id = call.principal.org
    if not org_id:
        raise Forbidden("An organization is needed")
    items = await call.resource(Searcher).search(org_id, call.body)
    return Reply(f'{{"results":{items}}}'.encode())


async def look_up(call: Call[SearchQuestion, Empty]) -> Reply:
    """``POST /internal/search``."""
    items = await call.resource(Searcher).look_up(call.body)
    return Reply(f'{{"results":{items}}}'.encode())


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="POST",
        path="/v1/learnings/search",
        endpoint=search,
        summary="Search the organization's learnings, best first",
        answer=SearchAnswer,
        body=SearchRequest,
        scope="learnings:read",
        tag="Learnings",
    ),
    Operation(
        method="POST",
        path="/internal/search",
        endpoint=look_up,
        summary="Search an organization's learnings for somebody who may read them",
        answer=Excerpts,
        body=SearchQuestion,
        internal=True,
        no_store=True,
    ),
)
