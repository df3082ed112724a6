"""The HTTP door of generations (runs contract, section 3.9)."""

from __future__ import annotations

from typing import Any, Final

from services.runs.generations import operations
from services.runs.generations.models import Generated, GeneratedPlan, GenerateRequest
from services.runs.generations.operations.getting import Means
from services.runs.settings import RunsSettings
from shared.api import Call, Empty, Operation, Reply
from shared.bus import Transport
from shared.fetch import Fetcher
from shared.vault import Vault

HOME: Final = "/api/v1/generate"
TAG: Final = "Generate"

LARGEST_BODY: Final = 2 * 1024 * 1024
"""Bytes (section 16)."""


async def generate(call: Call[GenerateRequest, Empty]) -> Reply:
    """``POST /api/v1/generate``."""
    made = await operations.generate(_means(call), call.principal, call.body)
    return Reply(made.model_dump(exclude_none=True))


async def generate_plan(call: Call[GenerateRequest, Empty]) -> GeneratedPlan:
    """``POST /api/v1/generate/plan``."""
    return await operations.generate_plan(_means(call), call.principal, call.body)


def _means(call: Call[Any, Empty]) -> Means:
    return Means(
        call.database,
        call.resources[Transport],
        call.resource(Vault),
        call.resource(Fetcher),
        call.resource(RunsSettings),
    )


def _row(path: str, endpoint: Any, summary: str, answer: Any) -> Operation:
    return Operation(
        method="POST",
        path=path,
        endpoint=endpoint,
        summary=summary,
        body=GenerateRequest,
        answer=answer,
        scope="runs:write",
        idempotent=True,
        body_limit=LARGEST_BODY,
        errors=(400, 403, 413, 502),
        tag=TAG,
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    _row(HOME, generate, "Make a suite of a site, an API's description or words", Generated),
    _row(
        HOME + "/plan",
        generate_plan,
        "Make several suites, one for each part of the application, and a plan that runs them",
        GeneratedPlan,
    ),
)
