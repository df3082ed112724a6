"""SQL of the first administrator. Accounts belong to no tenant."""

from __future__ import annotations

from shared.db import Connection


async def has_administrator(connection: Connection) -> bool:
    """Tell whether anybody administers the installation, even one who cannot act just now.

    Otherwise whoever came first could take an installation over whose administrator is disabled.
    """
    found = await connection.fetchval("SELECT true FROM auth.account WHERE platform_admin LIMIT 1")
    return bool(found)


async def promote(connection: Connection, account_id: str) -> None:
    """Let a person act for the whole installation."""
    await connection.execute(
        "UPDATE auth.account SET platform_admin = true, updated_at = now() WHERE id = $1",
        account_id,
    )
