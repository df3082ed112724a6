"""HTTP door of going and being forgotten (learnings contract, section 3; teams contract, 8)."""

from __future__ import annotations

from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.erasures import operations
from services.auth.erasures.models import (
    AccountPage,
    Deleted,
    ErasureItem,
    Export,
    Goodbye,
    TeamsExport,
)
from services.auth.mail.operations import MailSender
from services.auth.sessions.operations import Desk
from services.auth.settings import AuthSettings
from services.auth.web_sessions.operations import (
    changer_of,
    clear_cookie,
    person_of,
)
from shared.api import Call, Empty, Operation, Reply
from shared.errors import Internal, ServiceError, Unavailable
from shared.log import get_logger
from shared.pagination import Page, PageQuery
from shared.principal import Principal
from shared.siblings import Siblings

EXPORT_NAME: Final = "guildhall-export.json"
TEAMS_EXPORT_NAME: Final = "teamrc-export.json"

log = get_logger()


async def delete_me(call: Call[Goodbye, Empty]) -> Deleted:
    """``DELETE /v1/auth/me``."""
    origin = Origin.of(call)
    await operations.prove(call.resource(Desk), call.principal, call.body, origin)
    mail, siblings = call.resource(MailSender), call.resource(Siblings)
    await operations.erase(call.database, mail, siblings, call.principal, origin)
    return Deleted()


async def delete_account(call: Call[Empty, Empty]) -> Reply:
    """``DELETE /api/account``."""
    public_url = call.resource(AuthSettings).public_url
    person = await changer_of(call.database, call.principal, call.headers, public_url)
    mail, siblings = call.resource(MailSender), call.resource(Siblings)
    try:
        await operations.erase(
            call.database, mail, siblings, person, Origin.of(call), only_with_teams=True
        )
    except Unavailable:
        raise Internal("deletion_failed", code="deletion_failed") from None
    except ServiceError:
        raise
    except Exception:
        log.exception("deletion failed", account_id=person.account)
        raise Internal("deletion_failed", code="deletion_failed") from None
    return Reply(Deleted(), headers={"set-cookie": clear_cookie(public_url)})


async def export_me(call: Call[Empty, Empty]) -> Reply:
    """``GET /v1/auth/me/export``."""
    export = await operations.export_all(call.database, call.principal)
    return Reply(export, headers=_attachment(EXPORT_NAME))


async def read_account(call: Call[Empty, Empty]) -> AccountPage:
    """``GET /api/account``."""
    return await operations.read_account(call.database, (await _person(call)).account)


async def export_account(call: Call[Empty, Empty]) -> Reply:
    """``GET /api/account/export``."""
    person = await _person(call)
    export = await operations.export_for_teams(
        call.database, call.resource(Siblings), person.account
    )
    return Reply(export, headers=_attachment(TEAMS_EXPORT_NAME))


async def list_erasures(call: Call[Empty, PageQuery]) -> Page[ErasureItem]:
    """``GET /v1/admin/erasures``."""
    return await operations.list_erasures(call.database, call.principal, call.query)


async def _person(call: Call[Empty, Empty]) -> Principal:
    public_url = call.resource(AuthSettings).public_url
    return await person_of(call.database, call.principal, call.headers, public_url)


def _attachment(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="DELETE",
        path="/v1/auth/me",
        endpoint=delete_me,
        summary="Delete one's account; every service forgets it",
        body=Goodbye,
        answer=Deleted,
        authenticated=True,
        errors=(401, 403, 409),
        tag="Auth",
    ),
    Operation(
        method="GET",
        path="/v1/auth/me/export",
        endpoint=export_me,
        summary="Everything that is held of one's account",
        answer=Export,
        authenticated=True,
        no_store=True,
        errors=(403,),
        tag="Auth",
    ),
    Operation(
        method="GET",
        path="/v1/admin/erasures",
        endpoint=list_erasures,
        summary="Who asked to be forgotten, and which services have",
        query=PageQuery,
        answer=Page[ErasureItem],
        admin=True,
        tag="Admin",
    ),
    Operation(
        method="GET",
        path="/api/account",
        endpoint=read_account,
        personal=True,
        summary="One's account and its machines",
        answer=AccountPage,
        public=True,
        no_store=True,
        errors=(401, 404),
        tag="Account",
    ),
    Operation(
        method="DELETE",
        path="/api/account",
        endpoint=delete_account,
        personal=True,
        summary="Delete one's account",
        answer=Deleted,
        public=True,
        errors=(401, 403, 409, 500),
        tag="Account",
    ),
    Operation(
        method="GET",
        path="/api/account/export",
        endpoint=export_account,
        personal=True,
        summary="One's account, machines and teams",
        answer=TeamsExport,
        public=True,
        no_store=True,
        errors=(401, 404, 503),
        tag="Account",
    ),
)
