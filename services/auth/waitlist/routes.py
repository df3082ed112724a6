"""HTTP door of the waitlist (learnings contract, section 3.2)."""

from __future__ import annotations

from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.mail.operations import MailSender
from services.auth.settings import AuthSettings
from services.auth.waitlist import operations
from services.auth.waitlist.models import Converted, Joined, Request, WaitingPerson
from shared.api import Call, Empty, Operation
from shared.pagination import Page, PageQuery

LIST: Final = "/v1/admin/waitlist"


async def join(call: Call[Request, Empty]) -> Joined:
    """``POST /v1/waitlist``."""
    await operations.join(call.database, call.body.email)
    return Joined()


async def list_waiting(call: Call[Empty, PageQuery]) -> Page[WaitingPerson]:
    """``GET /v1/admin/waitlist``."""
    return await operations.list_waiting(call.database, call.principal, call.query)


async def convert(call: Call[Empty, Empty]) -> Converted:
    """``POST /v1/admin/waitlist/{id}/convert``."""
    return await operations.convert(
        call.database,
        call.resource(MailSender),
        call.resource(AuthSettings).public_url,
        call.principal,
        call.path["id"],
        Origin.of(call),
    )


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/waitlist",
        endpoint=join,
        summary="Ask for a place",
        body=Request,
        answer=Joined,
        public=True,
        tag="Waitlist",
    ),
    Operation(
        method="GET",
        path=LIST,
        endpoint=list_waiting,
        summary="List who asked for a place (platform administrators)",
        query=PageQuery,
        answer=Page[WaitingPerson],
        admin=True,
        tag="Admin",
    ),
    Operation(
        method="POST",
        path=LIST + "/{id}/convert",
        endpoint=convert,
        summary="Let somebody in from the waitlist; the key is shown only now",
        answer=Converted,
        admin=True,
        no_store=True,
        errors=(404, 409),
        tag="Admin",
    ),
)
