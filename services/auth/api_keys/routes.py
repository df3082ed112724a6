"""HTTP door of API keys and of the gateway's question about one.

Learnings contract, section 3.2; runs contract, section 3.2.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.auth.api_keys import operations
from services.auth.api_keys.models import (
    ApiKeyItem,
    CreatedApiKey,
    CreatedPersonalToken,
    KeyCheck,
    KeyVerdict,
    NewApiKey,
    NewPersonalToken,
    PersonalTokens,
    Revoked,
    Rotation,
    TokenQuery,
)
from services.auth.audit_events.models import Origin
from services.auth.settings import AuthSettings
from shared.api import Call, Empty, Operation, Reply
from shared.pagination import Page, PageQuery

PERSONAL: Final = "/api/v1/auth/tokens"
COLLECTION: Final = "/v1/admin/organizations/{org_id}/api-keys"


async def create(call: Call[NewApiKey, Empty]) -> CreatedApiKey:
    """``POST /v1/admin/organizations/{org_id}/api-keys``."""
    return await operations.create(
        call.database, call.principal, call.path["org_id"], call.body, Origin.of(call)
    )


async def list_keys(call: Call[Empty, PageQuery]) -> Page[ApiKeyItem]:
    """``GET /v1/admin/organizations/{org_id}/api-keys``."""
    return await operations.list_keys(
        call.database, call.principal, call.path["org_id"], call.query
    )


async def revoke(call: Call[Empty, Empty]) -> Reply:
    """``DELETE /v1/admin/organizations/{org_id}/api-keys/{id}``."""
    await operations.revoke(
        call.database, call.principal, call.path["org_id"], call.path["id"], Origin.of(call)
    )
    return Reply(None)


async def rotate(call: Call[Rotation, Empty]) -> CreatedApiKey:
    """``POST /v1/admin/organizations/{org_id}/api-keys/{id}/rotate``."""
    seconds = call.body.overlap_seconds
    if seconds is None:
        seconds = call.resource(AuthSettings).key_rotation_overlap
    return await operations.rotate(
        call.database,
        call.principal,
        call.path["org_id"],
        call.path["id"],
        timedelta(seconds=seconds),
        Origin.of(call),
    )


async def create_personal(call: Call[NewPersonalToken, Empty]) -> CreatedPersonalToken:
    """``POST /api/v1/auth/tokens``."""
    return await operations.create_personal(
        call.database, call.principal, call.body, Origin.of(call)
    )


async def list_personal(call: Call[Empty, TokenQuery]) -> PersonalTokens:
    """``GET /api/v1/auth/tokens``."""
    return PersonalTokens(await operations.list_personal(call.database, call.principal, call.query))


async def revoke_personal(call: Call[Empty, Empty]) -> Revoked:
    """``DELETE /api/v1/auth/tokens/{id}``."""
    await operations.revoke_personal(
        call.database, call.principal, call.path["id"], Origin.of(call)
    )
    return Revoked()


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
        path=COLLECTION + "/{id}/rotate",
        endpoint=rotate,
        summary="Replace an API key; both hold for an overlap",
        body=Rotation,
        answer=CreatedApiKey,
        status=201,
        admin=True,
        no_store=True,
        errors=(409,),
        tag="Admin",
    ),
    Operation(
        method="POST",
        path=PERSONAL,
        endpoint=create_personal,
        summary="Create a personal API token; it is shown only now",
        body=NewPersonalToken,
        answer=CreatedPersonalToken,
        authenticated=True,
        no_store=True,
        tag="Auth",
    ),
    Operation(
        method="GET",
        path=PERSONAL,
        endpoint=list_personal,
        summary="List one's own personal API tokens",
        query=TokenQuery,
        answer=PersonalTokens,
        authenticated=True,
        tag="Auth",
    ),
    Operation(
        method="DELETE",
        path=PERSONAL + "/{id}",
        endpoint=revoke_personal,
        summary="Revoke one of one's own personal API tokens",
        answer=Revoked,
        authenticated=True,
        tag="Auth",
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
