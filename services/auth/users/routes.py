"""HTTP door of an organization's people, and of signing in (runs contract, section 3.2).

Beside them, what platform administrators may do to anybody (learnings contract, section 3.2).
"""

from __future__ import annotations

from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.organizations.models import UserItem
from services.auth.sessions.models import PasswordCredential
from services.auth.sessions.operations import Desk, sign_out
from services.auth.settings import AuthSettings
from services.auth.users import operations
from services.auth.users.models import (
    Done,
    Login,
    Member,
    Members,
    MembersQuery,
    NewUser,
    SignedIn,
    Signup,
    StandingChange,
    UserChange,
)
from shared.api import Call, Empty, Operation

COLLECTION: Final = "/api/v1/auth/users"


async def log_in(call: Call[Login, Empty]) -> SignedIn:
    """``POST /api/v1/auth/login``."""
    body = call.body
    credential = PasswordCredential(body.email, body.password, body.code)
    return await operations.sign_in(call.resource(Desk), credential, Origin.of(call))


async def log_out(call: Call[Empty, Empty]) -> Done:
    """``POST /api/v1/auth/logout``."""
    await sign_out(call.database, call.principal, Origin.of(call))
    return Done()


async def sign_up(call: Call[Signup, Empty]) -> SignedIn:
    """``POST /api/v1/auth/signup``."""
    is_cloud = call.resource(AuthSettings).deployment_mode == "cloud"
    desk, origin = call.resource(Desk), Origin.of(call)
    return await operations.sign_up(desk, call.body, is_cloud=is_cloud, origin=origin)


async def list_users(call: Call[Empty, MembersQuery]) -> Members:
    """``GET /api/v1/auth/users``."""
    return Members(await operations.list_members(call.database, call.principal, call.query))


async def add_user(call: Call[NewUser, Empty]) -> Member:
    """``POST /api/v1/auth/users``."""
    return await operations.add_user(
        call.resource(Desk), call.principal, call.body, Origin.of(call)
    )


async def change_user(call: Call[UserChange, Empty]) -> Member:
    """``PATCH /api/v1/auth/users/{id}``."""
    return await operations.change_user(
        call.database, call.principal, call.path["id"], call.body, Origin.of(call)
    )


async def remove_user(call: Call[Empty, Empty]) -> Done:
    """``DELETE /api/v1/auth/users/{id}``."""
    await operations.remove_user(call.database, call.principal, call.path["id"], Origin.of(call))
    return Done()


async def change_standing(call: Call[StandingChange, Empty]) -> UserItem:
    """``PATCH /v1/admin/users/{id}``."""
    return await operations.change_standing(
        call.database, call.principal, call.path["id"], call.body, Origin.of(call)
    )


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/api/v1/auth/login",
        endpoint=log_in,
        summary="Sign in for an access token of 24 hours",
        body=Login,
        answer=SignedIn,
        public=True,
        no_store=True,
        errors=(401, 403),
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/api/v1/auth/logout",
        endpoint=log_out,
        summary="End the session on every surface",
        answer=Done,
        authenticated=True,
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/api/v1/auth/signup",
        endpoint=sign_up,
        summary="Make an account with an organization of its own (only where sign-up is open)",
        body=Signup,
        answer=SignedIn,
        public=True,
        no_store=True,
        errors=(403, 409),
        tag="Auth",
    ),
    Operation(
        method="GET",
        path=COLLECTION,
        endpoint=list_users,
        summary="List the people of the active organization",
        query=MembersQuery,
        answer=Members,
        admin=True,
        tag="Users",
    ),
    Operation(
        method="POST",
        path=COLLECTION,
        endpoint=add_user,
        summary="Make an account that belongs to the active organization",
        body=NewUser,
        answer=Member,
        admin=True,
        errors=(409,),
        tag="Users",
    ),
    Operation(
        method="PATCH",
        path=COLLECTION + "/{id}",
        endpoint=change_user,
        summary="Change somebody's role or name, or let them act no longer",
        body=UserChange,
        answer=Member,
        admin=True,
        errors=(404, 409),
        tag="Users",
    ),
    Operation(
        method="DELETE",
        path=COLLECTION + "/{id}",
        endpoint=remove_user,
        summary="Remove somebody from the active organization",
        answer=Done,
        admin=True,
        errors=(404, 409),
        tag="Users",
    ),
    Operation(
        method="PATCH",
        path="/v1/admin/users/{id}",
        endpoint=change_standing,
        summary="Bar anybody, or make them a platform administrator (platform administrators)",
        body=StandingChange,
        answer=UserItem,
        admin=True,
        errors=(404, 409),
        tag="Admin",
    ),
)
