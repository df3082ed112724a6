"""HTTP door of API keys (learnings contract, section 3.2) and the gateway's question about one."""

from __future__ import annotations

from typing import Final

from services.auth.api_keys import operations
from services.auth.api_keys.models import (
    ApiKeyItem,
    CreatedApiKey,
    KeyCheck,
    KeyVerdict,
    NewApiKey,
)
from shared.api import Call, Empty, Operation, Reply
from shared.pagination import Page, PageQuery

COLLECTION: Final = "/v1/admin/organizations/{org_id}/api-keys"


async def create(call: Call[NewApiKey, Empty]) -> CreatedApiKey:
    """``POST /v1/admin/organizations/{org_id}/api-keys``."""
    return await operations.create(call.database, call.principal, call.path["org_id"], call.body)


async def list_keys(call: Call[Empty, PageQuery]) -> Page[ApiKeyItem]:
    """``GET /v1/admin/organizations/{org_id}/api-keys``."""
    return await operations.list_keys(
        call.database, call.principal, call.path["org_id"], call.query
    )


async def revoke(call: Call[Empty, Empty]) -> Reply:
    """``DELETE /v1/admin/organizations/{org_id}/api-keys/{id}``."""
    await operations.revoke(call.database, call.principal, call.path["org_id"], call.path["id"])
    return Reply(None)


async def check(call: Call[KeyCheck, Empty]) -> KeyVerdict:
    """``POST /internal/api-keys/check``."""
    return await operations.check_digest(call.database, bytes.fromhex(call.body.digest))


OPERATIONS: Final = (
    Operation(
        method="POST",
        path=COLLECTION,
        endpoint=create,
        summary="Create an API key; its secret is shown only now",
        body=NewApiKey,
        answer=CreatedApiKey,
        status=201,
        admin=True,
        no_store=True,
        tag="Admin",
    ),
    Operation(
        method="GET",
        path=COLLECTION,
        endpoint=list_keys,
        summary="List an organization's API keys",
        query=PageQuery,
        answer=Page[ApiKeyItem],
        admin=True,
        tag="Admin",
    ),
    Operation(
        method="DELETE",
        path=COLLECTION + "/{id}",
        endpoint=revoke,
        summary="Revoke an API key",
        answer=None,
        status=204,
        admin=True,
        tag="Admin",
    ),
    Operation(
        method="POST",
        path="/internal/api-keys/check",
        endpoint=check,
        summary="Whether an API key holds",
        body=KeyCheck,
        answer=KeyVerdict,
        internal=True,
        no_store=True,
    ),
)
