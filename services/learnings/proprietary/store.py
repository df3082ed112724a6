"""The SQL of licenses, entitlements and packages; the packages belong to the installation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.learnings.proprietary.models import Package
from shared.db import Connection

_PACKAGE: Final = "SELECT package, version, sha256, size_bytes, file FROM learnings.package"


async def insert_package(connection: Connection, package: Package) -> bool:
    """Write a package; False when the version is there."""
    made = await connection.fetchval(
        """
        INSERT INTO learnings.package (package, version, sha256, size_bytes, file)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (package, version) DO NOTHING
        RETURNING true
        """,
        package.package,
        package.version,
        package.sha256,
        package.size_bytes,
        package.file,
    )
    return bool(made)


async def find_package(connection: Connection, package: str, version: str) -> Package | None:
    """Find one version of a package."""
    row = await connection.fetchrow(
        _PACKAGE + " WHERE package = $1 AND version = $2", package, version
    )
    return None if row is None else Package(**row)


async def newest_package(connection: Connection, package: str) -> Package | None:
    """Find the version that was uploaded last."""
    row = await connection.fetchrow(
        _PACKAGE + " WHERE package = $1 ORDER BY number DESC LIMIT 1", package
    )
    return None if row is None else Package(**row)


async def lock_organization(connection: Connection, org_id: str) -> bool:
    """Keep an organization from going; False when there is none, or it was forgotten."""
    found = await connection.fetchval(
        """
        SELECT true FROM learnings.organization
         WHERE org_id = $1 AND named_at IS DISTINCT FROM 'infinity'
           FOR SHARE
        """,
        org_id,
    )
    return bool(found)


async def set_grants(connection: Connection, org_id: str, packages: Sequence[str]) -> None:
    """Let an organization have these packages and no others."""
    await connection.execute(
        "DELETE FROM learnings.entitlement WHERE org_id = $1 AND package <> ALL($2::text[])",
        org_id,
        packages,
    )
    await connection.execute(
        """
        INSERT INTO learnings.entitlement (org_id, package)
        SELECT $1, unnest($2::text[]) ON CONFLICT (org_id, package) DO NOTHING
        """,
        org_id,
        packages,
    )


async def grants(connection: Connection, org_id: str) -> list[str]:
    """List what an organization may have."""
    rows = await connection.fetch(
        "SELECT package FROM learnings.entitlement WHERE org_id = $1 ORDER BY package", org_id
    )
    return [row["package"] for row in rows]


async def is_granted_any(connection: Connection, org_id: str) -> bool:
    """Tell whether an organization may have anything."""
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM learnings.entitlement WHERE org_id = $1)", org_id
    )
    return bool(found)


async def find_license(connection: Connection, org_id: str) -> bytes | None:
    """Give an organization's key, sealed."""
    sealed: bytes | None = await connection.fetchval(
        "SELECT sealed FROM learnings.license WHERE org_id = $1", org_id
    )
    return sealed


async def insert_license(
    connection: Connection, org_id: str, digest: bytes, sealed: bytes
) -> bytes:
    """Write an organization's key unless it has one; give the one it has."""
    kept: bytes = await connection.fetchval(
        """
        INSERT INTO learnings.license AS l (org_id, digest, sealed) VALUES ($1, $2, $3)
        ON CONFLICT (org_id) DO UPDATE SET org_id = l.org_id
        RETURNING sealed
        """,
        org_id,
        digest,
        sealed,
    )
    return kept


async def replace_license(
    connection: Connection, org_id: str, digest: bytes, sealed: bytes
) -> None:
    """Write an organization's key; an older one holds no longer."""
    await connection.execute(
        """
        INSERT INTO learnings.license (org_id, digest, sealed) VALUES ($1, $2, $3)
        ON CONFLICT (org_id) DO UPDATE
           SET digest = excluded.digest, sealed = excluded.sealed, made_at = now()
        """,
        org_id,
        digest,
        sealed,
    )


async def find_entitled(connection: Connection, digest: bytes, package: str) -> str | None:
    """Give the org_id whose key opens a package; it comes out, because the key is what tells."""
    org_id: str | None = await connection.fetchval(
        """
        SELECT l.org_id FROM learnings.license l
          JOIN learnings.entitlement e ON e.org_id = l.org_id AND e.package = $2
         WHERE l.digest = $1
        """,
        digest,
        package,
    )
    return org_id


async def is_entitled(connection: Connection, org_id: str, package: str) -> bool:
    """Tell whether an organization may still have a package."""
    found = await connection.fetchval(
        "SELECT true FROM learnings.entitlement WHERE org_id = $1 AND package = $2",
        org_id,
        package,
    )
    return bool(found)


async def delete_all(connection: Connection, org_id: str) -> None:
    """Delete an organization's license and grants."""
    await connection.execute("DELETE FROM learnings.license WHERE org_id = $1", org_id)
    await connection.execute("DELETE FROM learnings.entitlement WHERE org_id = $1", org_id)
