"""The HTTP door of proprietary packages (learnings contract, section 4)."""

from __future__ import annotations

from typing import Any, Final

from services.learnings.proprietary import operations, rules
from services.learnings.proprietary.models import (
    Entitlement,
    EntitlementRequest,
    Grants,
    GrantsAnswer,
    License,
    PackageAnswer,
    TicketQuery,
    UploadQuery,
)
from services.learnings.settings import LearningsSettings
from shared.api import Call, Operation, Reply
from shared.object_store import FileStore
from shared.vault import Vault

LARGEST: Final = 5 * 2**30
"""Bytes, whatever the settings say; those are looked at while the body passes."""

_HOME: Final = "/v1/proprietary"


async def show_license(call: Call[Any, Any]) -> License:
    """Give the organization's license key."""
    org_id = rules.org_of(call.principal)
    return await operations.license_of(call.database, call.resource(Vault), org_id)


async def rotate_license(call: Call[Any, Any]) -> License:
    """Replace the organization's license key."""
    org_id = rules.org_of(call.principal)
    return await operations.rotate(call.database, call.resource(Vault), org_id)


async def entitle(call: Call[EntitlementRequest, Any]) -> Entitlement:
    """Give a package's address for a license key."""
    return await operations.entitle(call.database, call.resource(LearningsSettings), call.body)


async def download(call: Call[Any, TicketQuery]) -> Reply:
    """Send a package."""
    delivery = await operations.download(
        call.database,
        call.resource(FileStore),
        call.resource(LearningsSettings),
        call.query.ticket,
        call.headers,
    )
    headers = {**delivery.headers, "cache-control": "no-store"}
    return Reply(delivery.body, delivery.status, headers, delivery.media_type)


async def upload(call: Call[Any, UploadQuery]) -> Reply:
    """Take one version of a package: 201, or 200 when it was there."""
    answer, is_new = await operations.upload(
        call.database,
        call.resource(FileStore),
        (call.path["package"], call.path["version"]),
        call.query.sha256,
        call.pieces,
        call.resource(LearningsSettings).release_size,
    )
    return Reply(answer, status=201 if is_new else 200)


async def grant(call: Call[Grants, Any]) -> GrantsAnswer:
    """Let an organization have packages."""
    rules.require_platform_admin(call.principal)
    return await operations.grant(call.database, call.path["org_id"], call.body.packages)


async def show_grants(call: Call[Any, Any]) -> GrantsAnswer:
    """List what an organization may have."""
    rules.require_platform_admin(call.principal)
    return await operations.grants(call.database, call.path["org_id"])


def _row(method: str, path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    fixed: dict[str, Any] = {"names_errors": True, "tag": "Proprietary packages"}
    return Operation(method=method, path=path, endpoint=endpoint, summary=summary, **(fixed | more))


_LICENSE: Final = "/v1/me/proprietary-license"
_GRANTS: Final = f"{_HOME}/entitlements/{{org_id}}"

OPERATIONS: Final = (
    _row(
        *("GET", _LICENSE, show_license, "Get the organization's license key"),
        answer=License,
        scope="proprietary:install",
        no_store=True,
        errors=(404,),
    ),
    _row(
        *("POST", f"{_LICENSE}/rotate", rotate_license, "Replace the license key"),
        answer=License,
        admin=True,
        no_store=True,
        errors=(404,),
    ),
    _row(
        *("POST", f"{_HOME}/entitlement", entitle, "Get a package's address for a license key"),
        answer=Entitlement,
        body=EntitlementRequest,
        public=True,
        no_store=True,
        errors=(403, 404),
    ),
    _row(
        *("GET", f"{_HOME}/file", download, "Download a package from its signed address"),
        answer=None,
        query=TicketQuery,
        public=True,
        errors=(400, 404, 412, 416),
    ),
    _row(
        *("PUT", f"{_HOME}/packages/{{package}}/{{version}}", upload, "Upload a package"),
        answer=PackageAnswer,
        status=201,
        query=UploadQuery,
        scope="releases:write",
        raw=True,
        body_limit=LARGEST,
        errors=(409,),
    ),
    _row(
        *("PUT", _GRANTS, grant, "Let an organization have packages"),
        answer=GrantsAnswer,
        body=Grants,
        admin=True,
    ),
    _row(
        *("GET", _GRANTS, show_grants, "List what an organization may have"),
        answer=GrantsAnswer,
        admin=True,
    ),
)
