"""The HTTP door of runs (runs contract, sections 3.4 and 8.2)."""

from __future__ import annotations

from typing import Final

from services.runs.artifacts.operations import Store
from services.runs.runs import operations
from services.runs.runs.models import (
    CancelledRun,
    CompareQuery,
    Comparison,
    Done,
    Queue,
    Queued,
    Rerun,
    RunDetail,
    RunItem,
    RunQuery,
    RunRequest,
    SinceQuery,
)
from services.runs.runs.operations import Endings, Streams
from shared.api import Call, Empty, Operation, Reply
from shared.pagination import OffsetPage
from shared.server_sent import HEADERS, MEDIA_TYPE, cursor_of
from shared.streams import Draining
from shared.vault import Vault

COLLECTION: Final = "/api/v1/runs"
ONE: Final = COLLECTION + "/{id}"
READ: Final = "runs:read"
WRITE: Final = "runs:write"
TAG: Final = "Runs"


async def enqueue(call: Call[RunRequest, Empty]) -> Queued:
    """``POST /api/v1/runs``."""
    return await operations.enqueue(call.database, call.resource(Vault), call.principal, call.body)


async def list_runs(call: Call[Empty, RunQuery]) -> OffsetPage[RunItem]:
    """``GET /api/v1/runs``."""
    return await operations.list_page(call.database, call.principal, call.query)


async def show_queue(call: Call[Empty, Empty]) -> Queue:
    """``GET /api/v1/runs/queue``."""
    return await operations.queue(call.database, call.principal)


async def read(call: Call[Empty, SinceQuery]) -> Reply:
    """``GET /api/v1/runs/{id}``."""
    return Reply(
        await operations.read(call.database, call.principal, call.path["id"], call.query.since)
    )


async def follow(call: Call[Empty, SinceQuery]) -> Reply:
    """``GET /api/v1/runs/{id}/events``; to a client that has seen the last one, 204: stay away."""
    run_id = call.path["id"]
    resumed = cursor_of(call.headers.get("last-event-id", ""))
    after = resumed if resumed is not None else call.query.since
    is_open = await operations.has_more(call.database, call.principal, run_id, after)
    if resumed is not None and not is_open:
        return Reply(None, status=204, headers=HEADERS)
    streams = call.resource(Streams)
    follower = await operations.admit(streams, call.principal, run_id)
    body = operations.follow(call.database, streams, call.resource(Draining), follower, after or 0)
    return Reply(body, headers=HEADERS, media_type=MEDIA_TYPE)


async def cancel(call: Call[Empty, Empty]) -> CancelledRun:
    """``POST /api/v1/runs/{id}/cancel``."""
    return await operations.cancel(
        call.database, call.principal, call.path["id"], call.resource(Endings)
    )


async def rerun(call: Call[Rerun, Empty]) -> Queued:
    """``POST /api/v1/runs/{id}/rerun``."""
    return await operations.rerun(call.database, call.principal, call.path["id"], call.body)


async def delete(call: Call[Empty, Empty]) -> Done:
    """``DELETE /api/v1/runs/{id}``."""
    await operations.delete(call.database, call.resource(Store), call.principal, call.path["id"])
    return Done()


async def compare(call: Call[Empty, CompareQuery]) -> Comparison:
    """``GET /api/v1/runs/{id}/compare``."""
    return await operations.compare(
        call.database, call.principal, call.path["id"], call.query.other
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="POST",
        path=COLLECTION,
        endpoint=enqueue,
        summary="Queue a run of a suite, or several",
        body=RunRequest,
        answer=Queued,
        scope=WRITE,
        idempotent=True,
        errors=(400, 403, 404),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=COLLECTION,
        endpoint=list_runs,
        summary="List runs, newest first, those that wait and those under way among them",
        query=RunQuery,
        answer=OffsetPage[RunItem],
        scope=READ,
        errors=(403,),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=COLLECTION + "/queue",
        endpoint=show_queue,
        summary="Show what is executed and what waits",
        answer=Queue,
        scope=READ,
        errors=(403,),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=ONE,
        endpoint=read,
        summary="Read a run with its events and its report; since gives later events only",
        query=SinceQuery,
        answer=RunDetail,
        scope=READ,
        errors=(403, 404),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=ONE + "/events",
        endpoint=follow,
        summary="Follow a run's events as server-sent events, until done; Last-Event-ID or since "
        "resume",
        query=SinceQuery,
        answer=None,
        media_type=MEDIA_TYPE,
        scope=READ,
        errors=(403, 404, 429, 503),
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=ONE + "/cancel",
        endpoint=cancel,
        summary="End a run that waits or is executed; one that has ended stays as it is",
        answer=CancelledRun,
        scope=WRITE,
        errors=(403, 404),
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=ONE + "/rerun",
        endpoint=rerun,
        summary="Queue a run once more, or only its cases that failed or were broken",
        body=Rerun,
        answer=Queued,
        scope=WRITE,
        errors=(400, 403, 404),
        tag=TAG,
    ),
    Operation(
        method="DELETE",
        path=ONE,
        endpoint=delete,
        summary="Delete a run and its artifacts; one that is executed must be cancelled first",
        answer=Done,
        scope=WRITE,
        errors=(400, 403, 404),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=ONE + "/compare",
        endpoint=compare,
        summary="Show the cases whose verdict, duration or resolution differs from another run's",
        query=CompareQuery,
        answer=Comparison,
        scope=READ,
        errors=(403, 404),
        tag=TAG,
    ),
)
