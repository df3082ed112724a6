"""The HTTP door of suites (runs contract, section 3.3)."""

from __future__ import annotations

from typing import Any, Final

from services.runs.suites import operations
from services.runs.suites.models import (
    Conditions,
    Created,
    Done,
    NewText,
    Saved,
    SuiteDetail,
    SuitePage,
    SuiteQuery,
    Validation,
    VersionDetail,
    VersionPage,
    VersionQuery,
)
from shared.api import Call, Empty, Operation, Reply

BODY_LIMIT: Final = 2 * 1024 * 1024
"""Bytes: a text of the largest size, and its escapes in JSON (section 16)."""

_HOME: Final = "/api/v1/suites"
_ONE: Final = "/api/v1/suites/{name}"
_VERSIONS: Final = _ONE + "/versions"
_TAG: Final = "Suites"


async def index(call: Call[Empty, SuiteQuery]) -> SuitePage:
    """``GET /api/v1/suites``."""
    return await operations.page(call.database, call.principal.org, call.query)


async def create(call: Call[NewText, Empty]) -> Created:
    """``POST /api/v1/suites``."""
    file = await operations.create(call.database, call.principal, call.body.yaml)
    return Created(file=file)


async def validate(call: Call[NewText, Empty]) -> Validation:
    """``POST /api/v1/suites/validate``."""
    return await operations.validate(call.database, call.principal.org, call.body.yaml)


async def show(call: Call[Empty, Empty]) -> Reply:
    """``GET /api/v1/suites/{name}``."""
    found = await operations.read(call.database, call.principal.org, call.path["name"])
    headers = {"etag": found.etag}
    if operations.is_known(Conditions.of(call.headers), found):
        return Reply(None, status=304, headers=headers)
    return Reply(found, headers=headers)


async def save(call: Call[NewText, Empty]) -> Reply:
    """``PUT /api/v1/suites/{name}``."""
    conditions = Conditions.of(call.headers)
    name, text = call.path["name"], call.body.yaml
    saved = await operations.save(call.database, call.principal, name, text, conditions)
    return Reply(saved, headers={"etag": saved.etag})


async def delete(call: Call[Empty, Empty]) -> Done:
    """``DELETE /api/v1/suites/{name}``."""
    conditions = Conditions.of(call.headers)
    await operations.delete(call.database, call.principal.org, call.path["name"], conditions)
    return Done()


async def export(call: Call[Empty, Empty]) -> Reply:
    """``GET /api/v1/suites/{name}/export``."""
    text = await operations.export(call.database, call.principal.org, call.path["name"])
    return Reply(text.encode(), media_type="text/plain")


async def versions(call: Call[Empty, VersionQuery]) -> VersionPage:
    """``GET /api/v1/suites/{name}/versions``."""
    name = call.path["name"]
    return await operations.versions(call.database, call.principal.org, name, call.query)


async def version(call: Call[Empty, Empty]) -> VersionDetail:
    """``GET /api/v1/suites/{name}/versions/{n}``."""
    name, n = call.path["name"], call.path["n"]
    return await operations.version(call.database, call.principal.org, name, n)


def _reading(path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    row: dict[str, Any] = {"method": "GET", "scope": "runs:read", "errors": (404,), "tag": _TAG}
    return Operation(path=path, endpoint=endpoint, summary=summary, **(row | more))


def _writing(method: str, path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    row: dict[str, Any] = {"scope": "runs:write", "body_limit": BODY_LIMIT, "tag": _TAG}
    return Operation(method=method, path=path, endpoint=endpoint, summary=summary, **(row | more))


OPERATIONS: Final[tuple[Operation, ...]] = (
    _reading(
        *(_HOME, index, "List suites by file name"), answer=SuitePage, query=SuiteQuery, errors=()
    ),
    _writing(
        *("POST", _HOME, create, "Keep a text as a new suite, whose file name is chosen"),
        body=NewText,
        answer=Created,
        errors=(400, 413),
    ),
    _writing(
        *("POST", _HOME + "/validate", validate, "Say what would become of a text; keeps nothing"),
        body=NewText,
        answer=Validation,
        scope="runs:read",
        errors=(413,),
    ),
    _reading(_ONE, show, "Show a suite with its text", answer=SuiteDetail),
    _writing(
        *("PUT", _ONE, save, "Keep a text under a name; creates the suite where there is none"),
        body=NewText,
        answer=Saved,
        errors=(400, 412, 413),
    ),
    _writing(
        *("DELETE", _ONE, delete, "Delete a suite; its runs and issues stay"),
        answer=Done,
        errors=(404, 412),
    ),
    _reading(
        *(_ONE + "/export", export, "Export a suite as a Playwright spec"),
        answer=None,
        media_type="text/plain",
    ),
    _reading(
        *(_VERSIONS, versions, "List the texts that a suite has had, newest first"),
        answer=VersionPage,
        query=VersionQuery,
    ),
    _reading(_VERSIONS + "/{n}", version, "Show one of them", answer=VersionDetail),
)
