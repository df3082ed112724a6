"""Backups: signed addresses, uploads, downloads (learnings contract, section 4.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from services.learnings.backup import rules, store
from services.learnings.backup.models import (
    Announced,
    BackupItem,
    BackupList,
    Kept,
    Presigned,
    PresignRequest,
    Received,
)
from services.learnings.files import operations as files
from services.learnings.files.models import TICKET_LIFE
from services.learnings.files.operations import Checked, opened, sealed
from services.learnings.settings import LearningsSettings
from shared.db import Connection, Database
from shared.errors import BadRequest, NotFound
from shared.log import get_logger
from shared.object_store import FileStore
from shared.tickets import Tickets
from shared.vault import Vault

FOLDER: Final = "backups"
"""Below which the objects stand, whosever they are: a name of a folder would outlive its owner."""

PUT: Final = "backup put"
GET: Final = "backup get"

log = get_logger()


def tickets_of(settings: LearningsSettings) -> Tickets:
    """Give what writes and reads signed addresses."""
    return Tickets(settings.key_for_secrets(), TICKET_LIFE)


async def presign(
    database: Database, settings: LearningsSettings, org_id: str, body: PresignRequest
) -> Presigned:
    """Give the address for one upload or download.

    Raises:
        Invalid: a field is missing, or the backup is larger than any may be.
        TooLarge: the organization's backups have no room for it.
        RateLimited: too many uploads wait.
        NotFound: there is none to download by this key, or it is another tenant's.
    """
    if body.method == "get":
        return await _presign_download(database, settings, org_id, rules.wanted_download(body))
    size, sha256 = rules.wanted_upload(body, settings.backup_size)
    key = rules.key_of(org_id, body.client_id, datetime.now(UTC))
    announced = Announced(org_id, key, size, sha256)
    async with database.transaction() as connection:
        await store.take_turns(connection, org_id)
        room = await store.room(connection, org_id, body.client_id, settings.backups_kept)
        rules.check_room(room, size, settings.backup_quota)
        await store.announce(connection, announced, body.client_id, TICKET_LIFE)
    ticket = tickets_of(settings).write(PUT, org=org_id, key=key, size=size, sha256=sha256)
    return Presigned(url=_address(settings, ticket), key=key)


async def _presign_download(
    database: Database, settings: LearningsSettings, org_id: str, key: str
) -> Presigned:
    kept = await _find(database, org_id, key)
    ticket = tickets_of(settings).write(
        GET, org=org_id, key=key, size=kept.size_bytes, sha256=kept.sha256
    )
    return Presigned(url=_address(settings, ticket), key=key)


def _address(settings: LearningsSettings, ticket: str) -> str:
    return f"{settings.public_url}/v1/backup/file?ticket={ticket}"


async def _find(database: Database, org_id: str, key: str) -> Kept:
    async with database.connection() as connection:
        kept = await store.find(connection, org_id, key)
    if kept is None:
        raise NotFound
    return kept


async def upload(
    database: Database,
    store_of_files: FileStore,
    vault: Vault,
    settings: LearningsSettings,
    ticket: str,
    headers: Mapping[str, str],
    pieces: AsyncIterator[bytes],
) -> Received:
    """Take a backup, encrypted as it comes; an address is used once.

    Raises:
        BadRequest: the address holds no longer or was used, or the bytes are not those announced;
            nothing is then stored.
    """
    claims = tickets_of(settings).read(PUT, ticket)
    announced = Announced(claims["org"], claims["key"], claims["size"], claims["sha256"])
    rules.check_headers(announced, headers)
    async with database.connection() as connection:
        if not await store.is_waiting(connection, announced.org_id, announced.key):
            raise _used()
    checked = Checked(pieces, limit=announced.size, size=announced.size, sha256=announced.sha256)
    secret = files.random_key()
    async with files.uploading(database, store_of_files, FOLDER, announced.org_id) as object_:
        await store_of_files.put(object_.key, sealed(aiter(checked), secret))
        async with database.transaction() as connection:
            await store.take_turns(connection, announced.org_id)
            client_id = await store.finish(
                connection, announced.org_id, announced.key, object_.key, vault.seal(secret)
            )
            if client_id is None:
                raise _used()
            await object_.keep(connection)
            oldest = await store.delete_oldest(
                connection, announced.org_id, client_id, settings.backups_kept
            )
            await files.drop(connection, announced.org_id, oldest)
    await files.delete(database, store_of_files, announced.org_id, oldest)
    return Received(key=announced.key, size_bytes=announced.size, sha256=announced.sha256)


def _used() -> BadRequest:
    return BadRequest("This address was used already, or has expired")


async def download(
    database: Database,
    store_of_files: FileStore,
    vault: Vault,
    settings: LearningsSettings,
    ticket: str,
) -> tuple[Kept, AsyncIterator[bytes]]:
    """Open a backup and give its bytes, decrypted as they go.

    Raises:
        BadRequest: the address holds no longer.
        NotFound: the backup has gone meanwhile.
    """
    claims = tickets_of(settings).read(GET, ticket)
    kept = await _find(database, claims["org"], claims["key"])
    try:
        pieces = await store_of_files.get(kept.file)
    except NotFound:
        log.error("backup missing in the store", key=kept.key)
        raise
    return kept, opened(pieces, vault.open(kept.sealed_key))


async def listing(database: Database, org_id: str, client_id: str | None) -> BackupList:
    """List backups, newest first."""
    async with database.connection() as connection:
        items: list[BackupItem] = list(await store.newest(connection, org_id, client_id))
    return BackupList(objects=items)


def sweep_of(resources: Mapping[type, Any]) -> Callable[[Database], Awaitable[None]]:
    """Make the hourly clean-up of a process."""

    async def clean_up(database: Database) -> None:
        await sweep(database, resources[FileStore], resources[LearningsSettings])

    return clean_up


async def sweep(database: Database, store_of_files: FileStore, settings: LearningsSettings) -> None:
    """Delete what has expired, for all tenants, and then every object that nobody keeps."""
    async with database.transaction() as connection:
        await store.delete_expired(connection)
        if settings.backup_days:
            for old in await store.delete_old(connection, settings.backup_days):
                await files.drop(connection, old.org_id, [old.file] if old.file else [])
    await files.sweep(database, store_of_files)


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Forget an organization's backups; without their keys the objects cannot be read any more."""
    # Whoever announces one at this moment comes before, and is deleted, or after, and is refused.
    await store.take_turns(connection, org_id)
    await store.delete_all(connection, org_id)
    await files.drop_all(connection, org_id)
