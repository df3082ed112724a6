"""HTTP door of logins and service accounts (agents contract, sections 3 and 4.1)."""

from __future__ import annotations

from typing import Final

from pydantic import RootModel

from services.auth.audit_events.models import Origin
from services.auth.passwords.operations import Passwords
from services.auth.roles.operations import Access
from services.auth.service_accounts import operations
from services.auth.service_accounts.models import (
    Login,
    LoginRequest,
    Me,
    NewServiceAccount,
    PasswordEdit,
    ServiceAccountEdit,
    ServiceAccountItem,
    ServiceAccountQuery,
)
from services.auth.sessions.operations import Desk
from services.auth.settings import AuthSettings
from shared.api import Call, Empty, Operation, Reply
from shared.pagination import array_headers

COLLECTION: Final = "/api/v0/service-accounts"
ONE: Final = COLLECTION + "/{id}"
AUTH: Final = "Auth"
TAG: Final = "Service Accounts"


class ServiceAccountList(RootModel[list[ServiceAccountItem]]):
    """Service accounts, newest first."""


async def log_in(call: Call[LoginRequest, Empty]) -> Login:
    """``POST /api/v0/auth/internal`` and ``POST /api/v0/auth/login``."""
    return await operations.log_in(
        call.resource(Desk), call.resource(Access), call.body, Origin.of(call)
    )


async def read_me(call: Call[Empty, Empty]) -> Me:
    """``GET /api/v0/auth/me``."""
    return await operations.read_me(call.resource(Access), call.principal)


async def log_out(call: Call[Empty, Empty]) -> Reply:
    """``POST /api/v0/auth/logout``."""
    await operations.log_out(call.database, call.principal, Origin.of(call))
    return Reply(None)


async def list_accounts(call: Call[Empty, ServiceAccountQuery]) -> Reply:
    """``GET /api/v0/service-accounts``."""
    items, total = await operations.list_all(call.resource(Access), call.principal, call.query)
    return Reply(items, headers=array_headers(COLLECTION, call.query, total, len(items)))


async def create(call: Call[NewServiceAccount, Empty]) -> ServiceAccountItem:
    """``POST /api/v0/service-accounts``."""
    return await operations.create(
        call.resource(Access),
        call.resource(Passwords),
        call.principal,
        call.body,
        Origin.of(call),
        is_development=call.resource(AuthSettings).is_development,
    )


async def read(call: Call[Empty, Empty]) -> ServiceAccountItem:
    """``GET /api/v0/service-accounts/{id}``."""
    return await operations.read(call.resource(Access), call.principal, call.path["id"])


async def update(call: Call[ServiceAccountEdit, Empty]) -> ServiceAccountItem:
    """``PUT`` and ``PATCH /api/v0/service-accounts/{id}``."""
    return await operations.update(
        call.resource(Access), call.principal, call.path["id"], call.body, Origin.of(call)
    )


async def change_password(call: Call[PasswordEdit, Empty]) -> Reply:
    """``PUT`` and ``PATCH /api/v0/service-accounts/{id}/password``."""
    await operations.change_password(
        call.resource(Access),
        call.resource(Passwords),
        call.principal,
        call.path["id"],
        call.body,
        Origin.of(call),
        is_development=call.resource(AuthSettings).is_development,
    )
    return Reply(None)


async def delete(call: Call[Empty, Empty]) -> Reply:
    """``DELETE /api/v0/service-accounts/{id}``."""
    await operations.delete(call.resource(Access), call.principal, call.path["id"], Origin.of(call))
    return Reply(None)


def _login(path: str) -> Operation:
    return Operation(
        method="POST",
        path=path,
        endpoint=log_in,
        summary="Sign in a service account, or a person by their address",
        body=LoginRequest,
        answer=Login,
        public=True,
        no_store=True,
        errors=(401, 403),
        tag=AUTH,
    )


def _update(method: str) -> Operation:
    return Operation(
        method=method,
        path=ONE,
        endpoint=update,
        summary="Change a service account",
        body=ServiceAccountEdit,
        answer=ServiceAccountItem,
        authenticated=True,
        errors=(400, 403, 404, 409),
        tag=TAG,
    )


def _change_password(method: str) -> Operation:
    return Operation(
        method=method,
        path=ONE + "/password",
        endpoint=change_password,
        summary="Set a service account's password; its older tokens die",
        body=PasswordEdit,
        answer=None,
        status=204,
        authenticated=True,
        errors=(401, 403, 404),
        tag=TAG,
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    _login("/api/v0/auth/internal"),
    _login("/api/v0/auth/login"),
    Operation(
        method="GET",
        path="/api/v0/auth/me",
        endpoint=read_me,
        summary="Who is calling, and their roles",
        answer=Me,
        authenticated=True,
        errors=(403,),
        tag=AUTH,
    ),
    Operation(
        method="POST",
        path="/api/v0/auth/logout",
        endpoint=log_out,
        summary="End the session",
        answer=None,
        status=204,
        authenticated=True,
        errors=(403,),
        tag=AUTH,
    ),
    Operation(
        method="GET",
        path=COLLECTION,
        endpoint=list_accounts,
        summary="List service accounts",
        query=ServiceAccountQuery,
        answer=ServiceAccountList,
        authenticated=True,
        errors=(403,),
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=COLLECTION,
        endpoint=create,
        summary="Create a service account",
        body=NewServiceAccount,
        answer=ServiceAccountItem,
        status=201,
        authenticated=True,
        idempotent=True,
        errors=(403, 409),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=ONE,
        endpoint=read,
        summary="Read a service account by id, name or current-user",
        answer=ServiceAccountItem,
        authenticated=True,
        errors=(403, 404),
        tag=TAG,
    ),
    _update("PUT"),
    _update("PATCH"),
    Operation(
        method="DELETE",
        path=ONE,
        endpoint=delete,
        summary="Delete a service account with its bindings and tokens",
        answer=None,
        status=204,
        authenticated=True,
        errors=(403, 404, 409),
        tag=TAG,
    ),
    _change_password("PUT"),
    _change_password("PATCH"),
)
