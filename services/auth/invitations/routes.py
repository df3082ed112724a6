"""HTTP door of invitations (runs contract, section 3.2)."""

from __future__ import annotations

from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.invitations import operations
from services.auth.invitations.models import (
    Acceptance,
    Addresses,
    Invitation,
    Invitations,
    InvitationsQuery,
    NewInvitation,
)
from services.auth.mail.operations import MailSender
from services.auth.sessions.operations import Desk
from services.auth.settings import AuthSettings
from services.auth.users.models import Done, SignedIn
from shared.api import Call, Empty, Operation

COLLECTION: Final = "/api/v1/auth/invites"


async def invite(call: Call[NewInvitation, Empty]) -> Invitation:
    """``POST /api/v1/auth/invites``."""
    settings = call.resource(AuthSettings)
    return await operations.invite(
        call.database,
        call.resource(MailSender),
        Addresses(settings.link_base, settings.public_url),
        call.principal,
        call.body,
        Origin.of(call),
    )


async def list_open(call: Call[Empty, InvitationsQuery]) -> Invitations:
    """``GET /api/v1/auth/invites``."""
    return Invitations(await operations.list_open(call.database, call.principal, call.query))


async def read(call: Call[Empty, Empty]) -> Invitation:
    """``GET /api/v1/auth/invites/{id}``."""
    return await operations.read(call.database, call.principal, call.path["id"])


async def revoke(call: Call[Empty, Empty]) -> Done:
    """``DELETE /api/v1/auth/invites/{id}``."""
    await operations.revoke(call.database, call.principal, call.path["id"], Origin.of(call))
    return Done()


async def accept(call: Call[Acceptance, Empty]) -> SignedIn:
    """``POST /api/v1/auth/accept-invite``."""
    return await operations.accept(call.resource(Desk), call.body, Origin.of(call))


OPERATIONS: Final = (
    Operation(
        method="POST",
        path=COLLECTION,
        endpoint=invite,
        summary="Invite an address into the active organization by a letter",
        body=NewInvitation,
        answer=Invitation,
        admin=True,
        errors=(409,),
        tag="Users",
    ),
    Operation(
        method="GET",
        path=COLLECTION,
        endpoint=list_open,
        summary="List invitations that wait",
        query=InvitationsQuery,
        answer=Invitations,
        admin=True,
        tag="Users",
    ),
    Operation(
        method="GET",
        path=COLLECTION + "/{id}",
        endpoint=read,
        summary="One invitation that waits",
        answer=Invitation,
        admin=True,
        errors=(404,),
        tag="Users",
    ),
    Operation(
        method="DELETE",
        path=COLLECTION + "/{id}",
        endpoint=revoke,
        summary="Take an invitation back",
        answer=Done,
        admin=True,
        errors=(404,),
        tag="Users",
    ),
    Operation(
        method="POST",
        path="/api/v1/auth/accept-invite",
        endpoint=accept,
        summary="Join an organization by the token of a letter",
        body=Acceptance,
        answer=SignedIn,
        public=True,
        no_store=True,
        errors=(400, 401, 409),
        tag="Auth",
    ),
)
