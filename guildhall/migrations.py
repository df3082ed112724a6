"""Bringing every schema up to date."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.migrate import migrate

_ROOT = Path(__file__).resolve().parent.parent


def directory(schema: str) -> Path:
    """Give the folder with a schema's numbered files."""
    owner = _ROOT / "shared" if schema == "bus" else _ROOT / "services"
    return owner / schema / "migrations"


async def migrate_all(urls: Mapping[str, str]) -> dict[str, list[str]]:
    """Migrate each schema under its own login, and name the files applied.

    Args:
        urls: the login for each schema.

    Raises:
        MigrationError: the files and a ledger do not fit together.
    """
    return {schema: await migrate(url, schema, directory(schema)) for schema, url in urls.items()}
