"""Schema migrations: numbered SQL files, a checksummed ledger, forward only.

Every service migrates its own schema under its own role. Many may start at once: an advisory lock
lets one in, the others find the work done. A change that running code cannot live with is two
files in two releases: first expand, then contract.

A file may contain ``-- include: <path>`` lines, resolved against the folder of this package's
parent, so that all services share one text for the bus tables. Known limit: ``CREATE INDEX
CONCURRENTLY`` cannot run, because each file runs inside a transaction.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from shared.db import Connection
from shared.log import get_logger

LOCK_TIMEOUT: Final = "4s"
"""How long a migration may wait for a lock before it gives up, so as not to stall the service."""

_NAME: Final = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_INCLUDE: Final = re.compile(r"^-- include: (\S+)$", re.MULTILINE)
_ROOT: Final = Path(__file__).resolve().parent.parent

log = get_logger()


class MigrationError(Exception):
    """The files and the ledger do not fit together; the text says how."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, includes resolved, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load(directory: Path, schema: str) -> list[Migration]:
    """Read the migrations of a folder, in order, with ``{schema}`` of included texts filled in.

    Raises:
        MigrationError: a name is not ``NNNN_words.sql``, or the numbers have a gap.
    """
    found = []
    for path in sorted(directory.glob("*.sql")):
        match = _NAME.match(path.name)
        if not match:
            raise MigrationError(f"{path.name}: a migration is named NNNN_words.sql")
        sql = _INCLUDE.sub(
            lambda line: (_ROOT / line[1]).read_text().replace("{schema}", schema),
            path.read_text(),
        )
        found.append(Migration(int(match[1]), path.stem, sql))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"{directory}: numbers must run from 0001 without a gap")
    return found


async def migrate(url: str, schema: str, directory: Path) -> list[str]:
    """Bring a schema up to date and return the names of the files applied.

    Args:
        url: the service's own role, which owns the schema or may create it.
        schema: the schema's name.
        directory: the folder with the numbered files.

    Raises:
        MigrationError: a file that was applied has changed or is missing.
    """
    migrations = load(directory, schema)
    connection = await asyncpg.connect(url, timeout=10, statement_cache_size=0)
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('migrate:' || $1, 0))", schema
            )
            # Set after the advisory lock, so that waiting for a sibling is not cut short.
            await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            return await _apply(connection, schema, migrations)
    finally:
        await connection.close(timeout=5)


async def pending(connection: Connection, schema: str, directory: Path) -> list[str]:
    """Name the migrations of a folder that the schema does not have yet, changing nothing."""
    migrations = load(directory, schema)
    if not await connection.fetchval("SELECT to_regclass($1)", f"{schema}.migration"):
        return [migration.name for migration in migrations]
    done = await _ledger(connection, schema)
    return [migration.name for migration in migrations if migration.number not in done]


async def _apply(connection: Connection, schema: str, migrations: list[Migration]) -> list[str]:
    if not await connection.fetchval("SELECT to_regnamespace($1)", schema):
        await connection.execute(f"CREATE SCHEMA {schema}")
    await connection.execute(
        f"CREATE TABLE IF NOT EXISTS {schema}.migration ("
        " number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())"
    )
    done = await _ledger(connection, schema)
    known = {migration.number: migration for migration in migrations}
    for number, (name, checksum) in done.items():
        if number not in known:
            raise MigrationError(f"{schema}: {name} was applied but its file is missing")
        if known[number].checksum != checksum:
            raise MigrationError(f"{schema}: {name} was applied and then edited")
    applied = []
    for migration in migrations:
        if migration.number in done:
            continue
        await connection.execute(migration.sql)
        await connection.execute(
            f"INSERT INTO {schema}.migration (number, name, checksum) VALUES ($1, $2, $3)",  # noqa: S608 - the schema is our own constant
            migration.number,
            migration.name,
            migration.checksum,
        )
        log.info("migrated", schema=schema, migration=migration.name)
        applied.append(migration.name)
    return applied


async def _ledger(connection: Connection, schema: str) -> dict[int, tuple[str, str]]:
    rows = await connection.fetch(
        f"SELECT number, name, checksum FROM {schema}.migration ORDER BY number"  # noqa: S608 - the schema is our own constant
    )
    return {row["number"]: (row["name"], row["checksum"]) for row in rows}
