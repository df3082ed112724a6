"""The HTTP door of checks (runs contract, section 3.9)."""

from __future__ import annotations

from typing import Any, Final

from services.runs.artifacts.operations import Store
from services.runs.checks import operations
from services.runs.checks.models import (
    ApiCheck,
    ApiChecked,
    Baseline,
    BaselinePage,
    BaselineQuery,
    Done,
    ScreenshotCheck,
    ScreenshotChecked,
)
from services.runs.engine.probes.pictures import Comparer
from shared.api import Call, Operation, Reply
from shared.fetch import Fetcher

LARGEST_BODY: Final = 15_000_000
"""Bytes: a picture of 10 MiB in base64, and what stands around it."""

_TAG: Final = "Checks"
_HOME: Final = "/api/v1/checks/screenshot"
_ONE: Final = f"{_HOME}/{{name}}"
_PICTURE: Final = {"cache-control": "private, no-cache"}


async def check_api(call: Call[ApiCheck, Any]) -> ApiChecked:
    """Send a request and look at its answer."""
    return await operations.call(call.resource(Fetcher), call.body)


async def check_screenshot(call: Call[ScreenshotCheck, Any]) -> ScreenshotChecked:
    """Compare a picture with its baseline."""
    return await operations.compare(
        call.database, call.resource(Store), call.resource(Comparer), call.principal, call.body
    )


async def index(call: Call[Any, BaselineQuery]) -> BaselinePage:
    """List baselines."""
    return await operations.page(call.database, call.principal.org, call.query)


async def show(call: Call[Any, Any]) -> Baseline:
    """Show a baseline."""
    return await operations.find(call.database, call.principal.org, call.path["name"])


async def delete(call: Call[Any, Any]) -> Done:
    """Reset a baseline."""
    await operations.delete(call.database, call.principal.org, call.path["name"])
    return Done()


async def approve(call: Call[Any, Any]) -> Baseline:
    """Make what was compared last the baseline."""
    files = call.resource(Store)
    return await operations.approve(call.database, files, call.principal, call.path["name"])


async def picture(call: Call[Any, Any]) -> Reply:
    """Send one of a baseline's pictures."""
    content = await operations.picture(
        call.database,
        call.resource(Store),
        call.principal.org,
        call.path["name"],
        call.path["picture"],
    )
    return Reply(content, headers=_PICTURE, media_type="image/png")


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/api/v1/checks/api",
        endpoint=check_api,
        summary="Send a request and look at its answer",
        body=ApiCheck,
        answer=ApiChecked,
        scope="runs:write",
        tag=_TAG,
        errors=(400,),
    ),
    Operation(
        method="POST",
        path=_HOME,
        endpoint=check_screenshot,
        summary="Compare a picture with its baseline; the first one becomes it",
        body=ScreenshotCheck,
        answer=ScreenshotChecked,
        scope="runs:write",
        body_limit=LARGEST_BODY,
        tag=_TAG,
        errors=(413,),
    ),
    Operation(
        method="GET",
        path=_HOME,
        endpoint=index,
        summary="List baselines",
        query=BaselineQuery,
        answer=BaselinePage,
        scope="runs:read",
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path=_ONE,
        endpoint=show,
        summary="Show a baseline",
        answer=Baseline,
        scope="runs:read",
        tag=_TAG,
        errors=(404,),
    ),
    Operation(
        method="DELETE",
        path=_ONE,
        endpoint=delete,
        summary="Reset a baseline: the next picture of its name becomes it",
        answer=Done,
        scope="runs:write",
        tag=_TAG,
        errors=(404,),
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/approve",
        endpoint=approve,
        summary="Make the picture that was compared last the baseline",
        answer=Baseline,
        scope="runs:write",
        tag=_TAG,
        errors=(404,),
    ),
    Operation(
        method="GET",
        path=f"{_ONE}/{{picture}}",
        endpoint=picture,
        summary="Send a baseline's picture: baseline, latest or diff",
        answer=None,
        scope="runs:read",
        media_type="image/png",
        tag=_TAG,
        errors=(404,),
    ),
)
