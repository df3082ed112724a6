"""The HTTP door of the policies of keys (learnings contract, sections 6.1 and 8.11)."""

from __future__ import annotations

import re
from typing import Any, Final

from services.learnings.key_policies import operations
from services.learnings.key_policies.models import NewPolicy, Policy
from shared.api import Call, Empty, Operation, Reply
from shared.errors import Invalid
from shared.pagination import Page, PageQuery

COLLECTION: Final = "/v1/sync/policies"
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


async def index(call: Call[Empty, PageQuery]) -> Page[Policy]:
    """List the organization's policies."""
    return await operations.list_policies(call.database, call.principal, call.query)


async def show(call: Call[Any, Any]) -> Policy:
    """Show the policy of a key."""
    return await operations.show(call.database, call.principal, call.path["key_id"])


async def put(call: Call[NewPolicy, Any]) -> Policy:
    """Limit what a key may pull and record."""
    key_id = call.path["key_id"]
    if not _KEY_ID.fullmatch(key_id):
        raise Invalid.field("path", "key_id", msg="must be the id of an API key")
    return await operations.put(call.database, call.principal, key_id, call.body)


async def delete(call: Call[Any, Any]) -> Reply:
    """Lift the limits of a key."""
    await operations.delete(call.database, call.principal, call.path["key_id"])
    return Reply(None)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path=COLLECTION,
        endpoint=index,
        summary="List what keys may pull and record",
        answer=Page[Policy],
        query=PageQuery,
        admin=True,
        tag="Sync",
    ),
    Operation(
        method="GET",
        path=COLLECTION + "/{key_id}",
        endpoint=show,
        summary="Show what a key may pull and record",
        answer=Policy,
        admin=True,
        tag="Sync",
    ),
    Operation(
        method="PUT",
        path=COLLECTION + "/{key_id}",
        endpoint=put,
        summary="Limit what a key may pull and record",
        answer=Policy,
        body=NewPolicy,
        admin=True,
        errors=(409,),
        tag="Sync",
    ),
    Operation(
        method="DELETE",
        path=COLLECTION + "/{key_id}",
        endpoint=delete,
        summary="Lift the limits of a key",
        answer=None,
        status=204,
        admin=True,
        tag="Sync",
    ),
)
