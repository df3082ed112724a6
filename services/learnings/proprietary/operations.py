"""Licenses and entitlements (learnings contract, section 4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

from services.learnings.files import operations as files
from services.learnings.files.models import TICKET_LIFE, Delivery
from services.learnings.files.operations import Checked
from services.learnings.proprietary import rules, store
from services.learnings.proprietary.models import (
    NEWEST,
    Entitlement,
    EntitlementRequest,
    GrantsAnswer,
    License,
    Package,
    PackageAnswer,
)
from services.learnings.settings import LearningsSettings
from shared.db import Connection, Database
from shared.errors import Conflict, Invalid, NotFound, ServiceError
from shared.log import get_logger
from shared.object_store import FileStore
from shared.tickets import Tickets
from shared.vault import Vault

FOLDER: Final = "packages"
GET: Final = "package get"

log = get_logger()


async def license_of(database: Database, vault: Vault, org_id: str) -> License:
    """Give an organization's license key, the same each time.

    Raises:
        NotFound: the organization was granted nothing.
    """
    async with database.transaction() as connection:
        if not await store.is_granted_any(connection, org_id):
            raise rules.not_licensed()
        sealed = await store.find_license(connection, org_id)
        if sealed is None:
            key = rules.new_license()
            sealed = await store.insert_license(
                connection, org_id, rules.digest_of(key), vault.seal(key.encode())
            )
    return License(license_key=vault.open(sealed).decode())


async def rotate(database: Database, vault: Vault, org_id: str) -> License:
    """Replace an organization's license key; the old one holds no longer.

    Raises:
        NotFound: the organization was granted nothing.
    """
    key = rules.new_license()
    async with database.transaction() as connection:
        if not await store.is_granted_any(connection, org_id):
            raise rules.not_licensed()
        await store.replace_license(
            connection, org_id, rules.digest_of(key), vault.seal(key.encode())
        )
    log.info("license replaced", org_id=org_id)
    return License(license_key=key)


async def entitle(
    database: Database, settings: LearningsSettings, wanted: EntitlementRequest
) -> Entitlement:
    """Give the address of a package to whoever shows a license key for it.

    Raises:
        Forbidden: the key is not valid for this package.
        NotFound: the key is, and there is no such version.
    """
    async with database.connection() as connection:
        org_id = await store.find_entitled(
            connection, rules.digest_of(wanted.license_key), wanted.package
        )
        if org_id is None:
            raise rules.not_entitled()
        found = await _find(connection, wanted.package, wanted.version)
    if found is None:
        raise rules.unknown_version()
    ticket = Tickets(settings.key_for_secrets(), TICKET_LIFE).write(
        GET, org=org_id, package=found.package, version=found.version
    )
    url = f"{settings.public_url}/v1/proprietary/file?ticket={ticket}"
    return Entitlement(url=url, sha256=found.sha256, version=found.version)


async def _find(connection: Connection, package: str, version: str) -> Package | None:
    if version == NEWEST:
        return await store.newest_package(connection, package)
    return await store.find_package(connection, package, version)


async def download(
    database: Database,
    store_of_files: FileStore,
    settings: LearningsSettings,
    ticket: str,
    headers: Mapping[str, str],
) -> Delivery:
    """Open a package for whoever has a signed address.

    Raises:
        BadRequest: the address holds no longer.
        NotFound: the organization may have it no longer.
    """
    claims = Tickets(settings.key_for_secrets(), TICKET_LIFE).read(GET, ticket)
    async with database.connection() as connection:
        found = await store.find_package(connection, claims["package"], claims["version"])
        if found is None or not await store.is_entitled(
            connection, claims["org"], claims["package"]
        ):
            raise NotFound
    return await files.deliver(store_of_files, found.file, rules.described(found), headers)


async def upload(
    database: Database,
    store_of_files: FileStore,
    name: tuple[str, str],
    sha256: str | None,
    pieces: AsyncIterator[bytes],
    most: int,
) -> tuple[PackageAnswer, bool]:
    """Take one version of a package; give it, and whether it is new.

    Raises:
        Invalid: the name is odd, or the digest is not the one given.
        Conflict: the version is there with other contents.
        TooLarge: there are more than ``most`` bytes.
    """
    named = rules.named(*name)
    checked = Checked(pieces, limit=most, sha256=sha256, refusal=_refusal)
    async with files.uploading(database, store_of_files, FOLDER) as object_:
        await store_of_files.put(object_.key, aiter(checked))
        package = Package(named.package, named.version, checked.sha256, checked.size, object_.key)
        async with database.transaction() as connection:
            is_new = await store.insert_package(connection, package)
            if is_new:
                await object_.keep(connection)
            else:
                there = await store.find_package(connection, named.package, named.version)
                assert there is not None  # packages are never deleted
                if there.sha256 != checked.sha256:
                    raise Conflict(f"{named.package} {named.version} is there with other contents")
    if is_new:
        log.info("package received", package=named.package, version=named.version)
    return rules.answer_of(package), is_new


def _refusal(message: str) -> ServiceError:
    return Invalid.field("query", "sha256", msg=message, type="checksum_mismatch")


async def grant(database: Database, org_id: str, packages: list[str]) -> GrantsAnswer:
    """Let an organization have these packages and no others.

    Raises:
        NotFound: there is no such organization.
    """
    async with database.transaction() as connection:
        if not await store.lock_organization(connection, org_id):
            raise NotFound
        await store.set_grants(connection, org_id, packages)
    log.info("packages granted", org_id=org_id, packages=packages)
    return GrantsAnswer(org_id=org_id, packages=packages)


async def grants(database: Database, org_id: str) -> GrantsAnswer:
    """List what an organization may have."""
    async with database.connection() as connection:
        return GrantsAnswer(org_id=org_id, packages=await store.grants(connection, org_id))


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Forget an organization's license and grants."""
    await store.delete_all(connection, org_id)
