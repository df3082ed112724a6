"""The database image's init file and ``guildhall.provision`` make the same roles and schemas."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from guildhall.embedded.place import prepare_place
from guildhall.embedded.server import VOLATILE, EmbeddedPostgres
from guildhall.provision import SCHEMAS, create_database, provision, role, role_url, with_database

pytestmark = pytest.mark.slow

INIT_FILE: Final = Path(__file__).resolve().parents[2] / "deploy/postgres/init.sql"
PASSWORDS: Final = {schema: f"{schema}-it's secret" for schema in SCHEMAS}

_ROLES: Final = """
    SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin,
           rolreplication, rolbypassrls, rolconfig,
           ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid)
    FROM pg_roles r WHERE rolname LIKE 'guildhall%' ORDER BY rolname
"""
_SCHEMAS: Final = """
    SELECT nspname, nspowner::regrole::text, nspacl::text
    FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY nspname
"""
_DATABASE: Final = "SELECT datacl::text FROM pg_database WHERE datname = current_database()"


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A cluster of the test's own, because roles belong to the whole cluster."""
    home = Path(tempfile.mkdtemp(prefix="guildhall-init-"))
    server = EmbeddedPostgres(prepare_place(home), dict(VOLATILE))
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


async def picture(url: str) -> list[Any]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return [await connection.fetch(query) for query in (_ROLES, _SCHEMAS, _DATABASE)]
    finally:
        await connection.close()


async def start_afresh(server: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(server.url(), timeout=10)
    try:
        await connection.execute("DROP DATABASE IF EXISTS guildhall")
        for schema in SCHEMAS:
            await connection.execute(f"DROP ROLE IF EXISTS {role(schema)}")
    finally:
        await connection.close()
    await create_database(server.url())


def run_init_file(
    server: EmbeddedPostgres, passwords: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run it as the image does, with the passwords in the environment."""
    variables = {f"GUILDHALL_{s.upper()}_DB_PASSWORD": word for s, word in passwords.items()}
    psql = [str(server.place.programs / "psql"), "--set", "ON_ERROR_STOP=1", "--no-psqlrc"]
    return subprocess.run(
        [*psql, "--file", str(INIT_FILE), server.url("guildhall")],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


async def test_both_ways_give_the_same_rights(server: EmbeddedPostgres) -> None:
    await start_afresh(server)
    await provision(server.url("guildhall"), PASSWORDS)
    expected = await picture(server.url("guildhall"))

    await start_afresh(server)
    done = await asyncio.to_thread(run_init_file, server, PASSWORDS)
    assert done.returncode == 0, done.stderr
    assert await picture(server.url("guildhall")) == expected
    await provision(server.url("guildhall"), PASSWORDS)
    assert await picture(server.url("guildhall")) == expected

    for schema, word in PASSWORDS.items():
        address = role_url(with_database(server.url(), "guildhall"), schema, word)
        connection = await asyncpg.connect(address, timeout=10)
        await connection.close()


async def test_a_missing_password_stops_it_and_is_not_logged(server: EmbeddedPostgres) -> None:
    await start_afresh(server)
    without_one = {schema: word for schema, word in PASSWORDS.items() if schema != "agents"}
    done = await asyncio.to_thread(run_init_file, server, without_one)
    assert done.returncode != 0
    assert "secret" not in server.log_tail()
