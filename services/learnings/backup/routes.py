"""The HTTP door of backups (learnings contract, section 4.3)."""

from __future__ import annotations

import base64
from typing import Any, Final

from services.learnings.backup import operations, rules
from services.learnings.backup.models import (
    BackupList,
    BackupQuery,
    Presigned,
    PresignRequest,
    Received,
    TicketQuery,
)
from services.learnings.settings import LearningsSettings
from shared.api import Call, Operation, Reply
from shared.object_store import FileStore
from shared.vault import Vault

LARGEST: Final = 5 * 2**30
"""Bytes, whatever the settings say; an upload has as many as were announced."""

_TAG: Final = "Backups"


async def presign(call: Call[PresignRequest, Any]) -> Presigned:
    """Give the address for one upload or download."""
    settings = call.resource(LearningsSettings)
    return await operations.presign(
        call.database, settings, rules.org_of(call.principal), call.body
    )


async def index(call: Call[Any, BackupQuery]) -> BackupList:
    """List backups, newest first."""
    org_id = rules.org_of(call.principal)
    return await operations.listing(call.database, org_id, call.query.client_id)


async def upload(call: Call[Any, TicketQuery]) -> Received:
    """Take the bytes of a backup."""
    return await operations.upload(
        call.database,
        call.resource(FileStore),
        call.resource(Vault),
        call.resource(LearningsSettings),
        call.query.ticket,
        call.headers,
        call.pieces,
    )


async def download(call: Call[Any, TicketQuery]) -> Reply:
    """Send the bytes of a backup."""
    kept, body = await operations.download(
        call.database,
        call.resource(FileStore),
        call.resource(Vault),
        call.resource(LearningsSettings),
        call.query.ticket,
    )
    digest = base64.b64encode(bytes.fromhex(kept.sha256)).decode()
    headers = {
        "content-length": str(kept.size_bytes),
        "digest": f"sha-256={digest}",
        "cache-control": "no-store",
        "content-disposition": f'attachment; filename="{kept.key.rpartition("/")[2]}"',
    }
    return Reply(body, headers=headers, media_type="application/gzip")


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/backup/presign",
        endpoint=presign,
        summary="Get the address for one upload or download",
        answer=Presigned,
        body=PresignRequest,
        scope="backup",
        no_store=True,
        errors=(404, 413),
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path="/v1/backup/list",
        endpoint=index,
        summary="List backups",
        answer=BackupList,
        query=BackupQuery,
        scope="backup",
        tag=_TAG,
    ),
    Operation(
        method="PUT",
        path="/v1/backup/file",
        endpoint=upload,
        summary="Upload a backup to its signed address",
        answer=Received,
        query=TicketQuery,
        public=True,
        raw=True,
        body_limit=LARGEST,
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path="/v1/backup/file",
        endpoint=download,
        summary="Download a backup from its signed address",
        answer=None,
        query=TicketQuery,
        public=True,
        errors=(400, 404),
        tag=_TAG,
    ),
)
