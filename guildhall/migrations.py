"""Bringing every schema up to date, in the order services start needing them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from guildhall.provision import SCHEMAS
from shared.migrate import migrate

_ROOT = Path(__file__).resolve().parent.parent


def directory(schema: str) -> Path:
    """Give the folder with a schema's numbered files."""
    owner = _ROOT / "shared" if schema == "bus" else _ROOT / "services"
    return owner / schema / "migrations"


async def migrate_all(url: Callable[[str], str]) -> dict[str, list[str]]:
    """Migrate each schema under its own role and name the files applied.

    Args:
        url: gives the address for a schema's role.

    Raises:
        MigrationError: the files and a ledger do not fit together.
    """
    return {schema: await migrate(url(schema), schema, directory(schema)) for schema in SCHEMAS}
