"""The HTTP door of plans (runs contract, section 3.5)."""

from __future__ import annotations

from typing import Final

from services.runs.plans import operations
from services.runs.plans.models import Done, Plan, PlanPage, PlanQuery, PlanRequest, Started
from services.runs.runs.operations import Endings
from services.runs.settings import RunsSettings
from shared.api import Call, Empty, Operation
from shared.vault import Vault

COLLECTION: Final = "/api/v1/plans"
ONE: Final = COLLECTION + "/{plan_id}"
READ: Final = "runs:read"
WRITE: Final = "runs:write"
TAG: Final = "Plans"


async def index(call: Call[Empty, PlanQuery]) -> PlanPage:
    """``GET /api/v1/plans``."""
    return await operations.list_page(
        call.database, call.resource(Vault), call.principal, call.query
    )


async def read(call: Call[Empty, Empty]) -> Plan:
    """``GET /api/v1/plans/{plan_id}``."""
    return await operations.read(
        call.database, call.resource(Vault), call.principal, call.path["plan_id"]
    )


async def save(call: Call[PlanRequest, Empty]) -> Plan:
    """``POST /api/v1/plans``."""
    zone = call.resource(RunsSettings).zone_of_plans()
    return await operations.save(
        call.database, call.resource(Vault), zone, call.principal, call.body
    )


async def delete(call: Call[Empty, Empty]) -> Done:
    """``DELETE /api/v1/plans/{plan_id}``."""
    await operations.delete(call.database, call.principal, call.path["plan_id"])
    return Done()


async def start(call: Call[Empty, Empty]) -> Started:
    """``POST /api/v1/plans/{plan_id}/run``."""
    return await operations.start(
        call.database,
        call.resource(Vault),
        call.resource(Endings),
        call.principal,
        call.path["plan_id"],
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path=COLLECTION,
        endpoint=index,
        summary="List plans, newest first",
        query=PlanQuery,
        answer=PlanPage,
        scope=READ,
        errors=(403,),
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=COLLECTION,
        endpoint=save,
        summary="Keep a new plan, or with id change one; a bad schedule is kept and flagged",
        body=PlanRequest,
        answer=Plan,
        scope=WRITE,
        errors=(403, 404),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=ONE,
        endpoint=read,
        summary="Show a plan with its items, schedule and last run",
        answer=Plan,
        scope=READ,
        errors=(403, 404),
        tag=TAG,
    ),
    Operation(
        method="DELETE",
        path=ONE,
        endpoint=delete,
        summary="Delete a plan; its runs stay",
        answer=Done,
        scope=WRITE,
        errors=(403, 404),
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=ONE + "/run",
        endpoint=start,
        summary="Queue a run of each item, in order; behind earlier passes unless it is parallel",
        answer=Started,
        scope=WRITE,
        idempotent=True,
        errors=(403, 404),
        tag=TAG,
    ),
)
