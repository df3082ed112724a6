"""Publishing releases of the client, and giving them out (learnings contract, section 5.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Literal

from services.learnings.files import operations as files
from services.learnings.files.models import Delivery
from services.learnings.files.operations import Checked, Upload
from services.learnings.releases import rules, store
from services.learnings.releases.models import (
    NewRelease,
    ReleaseListQuery,
    Stored,
    Uploaded,
)
from services.learnings.releases.rules import Signer
from shared.bus import outbox
from shared.contracts.learnings import ReleasePublished
from shared.db import Connection, Database
from shared.errors import Conflict, Invalid, NotFound, ServiceError
from shared.log import get_logger
from shared.object_store import FileStore
from shared.pagination import TOTAL_CAP

__all__ = ("Signer",)

FOLDER = "releases"
"""Below which the objects stand."""

Part = Literal["artifact", "installer"]

log = get_logger()


async def post(database: Database, new: NewRelease, most: int) -> tuple[Stored, bool]:
    """Post a release, which is the newest of its channel from then on. Says release.published.

    Gives the release, and whether it is new.

    Raises:
        Invalid: its artifact is larger than ``most`` bytes, so it could never be uploaded.
        Conflict: the version was posted before with something else, or withdrawn.
    """
    if new.artifact_size_bytes > most:
        message = f"a file may have at most {most} bytes"
        raise Invalid.field("body", "artifact_size_bytes", msg=message)
    async with database.transaction() as connection:
        is_new = await store.insert(connection, new)
        stored = await store.find(connection, new.version)
        assert stored is not None  # releases are never deleted
        if is_new:
            event = ReleasePublished(version=new.version, channel=new.channel)
            await outbox.add(connection, event)
    if stored.is_withdrawn or not rules.is_same(stored, new):
        raise Conflict(f"Version {new.version} was posted before, with other contents")
    if is_new:
        log.info("release posted", version=new.version, channel=new.channel)
    return stored, is_new


async def upload(
    database: Database,
    store_of_files: FileStore,
    version: str,
    part: Part,
    pieces: AsyncIterator[bytes],
    most: int,
) -> Uploaded:
    """Take the artifact or the installer of a posted release, as announced or not at all.

    A file that is there already is compared and stays; so what clients saw never changes.

    Raises:
        NotFound: the version was not posted, or was withdrawn.
        Invalid: the bytes are not those announced.
        TooLarge: there are more than ``most``.
    """
    stored = await find(database, version)
    checked = _checked(stored, part, pieces, most)
    if _file_of(stored, part) is not None:
        await checked.read()
    else:
        async with files.uploading(database, store_of_files, FOLDER) as object_:
            await store_of_files.put(object_.key, aiter(checked))
            async with database.transaction() as connection:
                await _finish(connection, version, part, object_, checked)
        log.info("release file received", version=version, part=part, size=checked.size)
    return Uploaded(version=version, sha256=checked.sha256, size_bytes=checked.size)


async def _finish(
    connection: Connection, version: str, part: Part, upload: Upload, checked: Checked
) -> None:
    """Attach an object, unless another upload was faster."""
    stored = await store.lock(connection, version)
    if stored is None or stored.is_withdrawn:
        raise NotFound
    if _file_of(stored, part) is not None:
        if part == "installer" and stored.installer_checksum != checked.sha256:
            raise _refusal("The installer of this release is another one")
        return
    await upload.keep(connection)
    if part == "artifact":
        await store.set_artifact(connection, version, upload.key)
    else:
        await store.set_installer(connection, version, upload.key, checked.sha256, checked.size)


def _checked(stored: Stored, part: Part, pieces: AsyncIterator[bytes], most: int) -> Checked:
    if part == "artifact":
        return Checked(
            pieces,
            limit=most,
            size=stored.artifact_size_bytes,
            sha256=stored.artifact_checksum,
            refusal=_refusal,
        )
    sha256 = stored.installer_checksum or stored.expected_installer
    return Checked(pieces, limit=most, sha256=sha256, refusal=_refusal)


def _refusal(message: str) -> ServiceError:
    return Invalid.field("body", msg=message, type="checksum_mismatch")


def _file_of(stored: Stored, part: Part) -> str | None:
    return stored.artifact_file if part == "artifact" else stored.installer_file


async def withdraw(database: Database, store_of_files: FileStore, version: str) -> None:
    """Take a release back: nobody is offered it any more, and its version stays taken.

    Raises:
        NotFound: there is none.
    """
    async with database.transaction() as connection:
        stored = await store.lock(connection, version)
        if stored is None or stored.is_withdrawn:
            raise NotFound
        keys = [key for key in (stored.artifact_file, stored.installer_file) if key]
        await store.withdraw(connection, version)
        await files.drop(connection, "", keys)
    log.info("release withdrawn", version=version)
    await files.delete(database, store_of_files, "", keys)


async def find(database: Database, version: str) -> Stored:
    """Give a release.

    Raises:
        NotFound: there is none, or it was withdrawn.
    """
    async with database.connection() as connection:
        stored = await store.find(connection, version)
    if stored is None or stored.is_withdrawn:
        raise NotFound
    return stored


async def newest(database: Database, channel: str) -> Stored:
    """Give the release of a channel that was posted last.

    Raises:
        NotFound: there is none.
    """
    async with database.connection() as connection:
        stored = await store.newest(connection, channel)
    if stored is None:
        raise NotFound
    return stored


async def page(database: Database, query: ReleaseListQuery) -> tuple[list[Stored], int]:
    """Give a page of releases, newest first, and how many there are."""
    async with database.connection() as connection:
        items = await store.page(connection, query.channel, query.page_size, query.offset)
        return items, await store.count(connection, query.channel, TOTAL_CAP)


async def download(
    store_of_files: FileStore, stored: Stored, part: Part, headers: Mapping[str, str]
) -> Delivery:
    """Open the artifact or the installer.

    Raises:
        NotFound: it was not uploaded yet.
    """
    key = _file_of(stored, part)
    if key is None:
        raise NotFound
    described = (
        rules.described_artifact(stored)
        if part == "artifact"
        else rules.described_installer(stored)
    )
    return await files.deliver(store_of_files, key, described, headers)
