"""The process that holds the tests' PostgreSQL: ``postgres_keeper INFO-FILE OWNER-PID``.

A process of its own, so that the server outlives the worker that asked for it first and dies
with the run, even when the run is killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from guildhall.embedded.place import prepare_place
from guildhall.embedded.server import VOLATILE, EmbeddedPostgres
from guildhall.migrations import directory
from guildhall.provision import (
    SCHEMAS,
    create_database,
    derived_passwords,
    provision,
    role_url,
    with_database,
)
from shared.migrate import MigrationError, migrate
from tests.support.folders import open_folder
from tests.support.postgres import TEMPLATE

_SETTINGS: Final = {
    **VOLATILE,
    "max_connections": "400",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def main(info: Path, owner: int) -> None:
    """Start, fill, announce in ``info``, and stay until ``owner`` ends or SIGTERM comes."""
    signal.signal(signal.SIGTERM, _end)
    with open_folder() as folder:
        _hold(EmbeddedPostgres(prepare_place(folder / "postgres"), _SETTINGS), info, owner)


def _hold(server: EmbeddedPostgres, info: Path, owner: int) -> None:
    try:
        server.start()
        passwords = derived_passwords(b"only a test" * 3)
        broken = asyncio.run(_fill(server.url(), passwords))
        told = {
            "admin": server.url(),
            "passwords": passwords,
            "broken": broken,
            "keeper": os.getpid(),
        }
        fresh = info.with_suffix(".new")
        fresh.write_text(json.dumps(told))
        fresh.rename(info)
        psutil.Process(owner).wait()
    except psutil.NoSuchProcess:
        pass
    finally:
        server.stop()


async def _fill(admin: str, passwords: dict[str, str]) -> dict[str, str]:
    """Fill the template; a schema that fails is told to the tests that want it, and only them."""
    template = with_database(admin, TEMPLATE)
    await create_database(admin, TEMPLATE)
    await provision(template, passwords)
    broken = {}
    for schema in SCHEMAS:
        try:
            await migrate(role_url(template, schema, passwords[schema]), schema, directory(schema))
        except (MigrationError, asyncpg.PostgresError, OSError) as error:
            broken[schema] = repr(error)
    return broken


def _end(*_: object) -> None:
    raise SystemExit


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
