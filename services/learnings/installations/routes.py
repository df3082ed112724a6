"""The HTTP door of installations (learnings contract, section 5.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel

from services.learnings.installations import operations
from services.learnings.installations.models import (
    AdminInstallation,
    Installation,
    InstallationQuery,
    Label,
)
from services.learnings.installations.operations import Sightings
from shared.api import Call, Empty, Operation, Reply
from shared.errors import Forbidden
from shared.pagination import Page
from shared.principal import Principal

COLLECTION: Final = "/v1/installations"


def noting(rows: Iterable[Operation]) -> tuple[Operation, ...]:
    """Let every operation that needs a credential note which key was used, whatever it answers."""
    return tuple(row if row.public or row.internal else _noting(row) for row in rows)


def _noting(row: Operation) -> Operation:
    endpoint = row.endpoint

    async def noted(call: Call[Any, Any]) -> BaseModel | Reply:
        # Afterwards, so that a client that tells more of itself is known by that from the start.
        try:
            return await endpoint(call)
        finally:
            call.resource(Sightings).note_caller(call.principal)

    return replace(row, endpoint=noted)


def _org_of(principal: Principal) -> str:
    if not principal.org:
        raise Forbidden("An organization is needed")
    return principal.org


async def _written(call: Call[Any, Any]) -> None:
    """Let the caller see its own first call."""
    sightings = call.resource(Sightings)
    sightings.note_caller(call.principal)
    await sightings.settle()


async def index(call: Call[Empty, InstallationQuery]) -> Page[Installation]:
    """``GET /v1/installations``."""
    org_id = _org_of(call.principal)
    await _written(call)
    return await operations.page(call.database, org_id, call.query)


async def show(call: Call[Empty, Empty]) -> Installation:
    """``GET /v1/installations/{id}``."""
    return await operations.show(call.database, _org_of(call.principal), call.path["id"])


async def relabel(call: Call[Label, Empty]) -> Installation:
    """``PATCH /v1/installations/{id}``."""
    return await operations.relabel(
        call.database, _org_of(call.principal), call.path["id"], call.body.project
    )


async def index_all(call: Call[Empty, InstallationQuery]) -> Page[AdminInstallation]:
    """``GET /v1/admin/installations``."""
    await _written(call)
    return await operations.page_of_all(call.database, call.principal, call.query)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path=COLLECTION,
        endpoint=index,
        summary="List the organization's clients, last seen first",
        answer=Page[Installation],
        query=InstallationQuery,
        scope="learnings:read",
        tag="Installations",
    ),
    Operation(
        method="GET",
        path=COLLECTION + "/{id}",
        endpoint=show,
        summary="Show a client",
        answer=Installation,
        scope="learnings:read",
        tag="Installations",
    ),
    Operation(
        method="PATCH",
        path=COLLECTION + "/{id}",
        endpoint=relabel,
        summary="Name a client's project",
        answer=Installation,
        body=Label,
        admin=True,
        tag="Installations",
    ),
    Operation(
        method="GET",
        path="/v1/admin/installations",
        endpoint=index_all,
        summary="List the clients of all organizations",
        answer=Page[AdminInstallation],
        query=InstallationQuery,
        admin=True,
        tag="Admin",
    ),
)
