from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from guildhall.provision import (
    SCHEMAS,
    ProvisionError,
    create_database,
    derived_passwords,
    provision,
    role,
    role_url,
    scram_verifier,
    with_database,
)
from tests.support.postgres import DatabaseServer

# The roles belong to the whole server, so every test here uses the passwords that the run's
# server has given them.


@pytest.fixture
async def empty(database_server: DatabaseServer) -> AsyncIterator[tuple[str, dict[str, str]]]:
    async with database_server.clone("template0") as urls:
        yield urls.admin, urls.passwords


async def rows(url: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


async def test_each_role_owns_its_schema_and_nothing_else(
    empty: tuple[str, dict[str, str]],
) -> None:
    admin, passwords = empty
    await provision(admin, passwords)
    owners = await rows(
        admin,
        "SELECT nspname, nspowner::regrole::text AS owner FROM pg_namespace "
        "WHERE nspowner::regrole::text LIKE 'guildhall\\_%'",
    )
    assert {(row["nspname"], row["owner"]) for row in owners} == {
        (schema, role(schema)) for schema in SCHEMAS
    }
    for statement in ("CREATE TABLE public.t (n int)", "CREATE TEMP TABLE t (n int)"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await rows(role_url(admin, "runs", passwords["runs"]), statement)


async def test_it_may_be_repeated_and_by_several_at_once(
    empty: tuple[str, dict[str, str]],
) -> None:
    admin, passwords = empty
    await asyncio.gather(*(provision(admin, passwords) for _ in range(4)))
    await provision(admin, passwords)
    url = role_url(admin, "bus", passwords["bus"])
    assert (await rows(url, "SELECT current_user AS me"))[0]["me"] == "guildhall_bus"


async def test_two_databases_of_one_server_at_once(database_server: DatabaseServer) -> None:
    async with (
        database_server.clone("template0") as one,
        database_server.clone("template0") as two,
    ):
        await asyncio.gather(
            *(provision(urls.admin, urls.passwords) for urls in (one, two) for _ in range(3))
        )
        for urls in (one, two):
            assert await rows(urls.url("auth"), "SELECT 1")


async def test_a_login_that_may_only_make_roles_is_enough(
    database_server: DatabaseServer, empty: tuple[str, dict[str, str]]
) -> None:
    """As managed servers give it; there the roles do not exist before."""
    name = f"manager_{uuid4().hex[:8]}"
    admin, passwords = empty
    connection = await asyncpg.connect(admin, timeout=10)
    database = await connection.fetchval("SELECT current_database()")
    try:
        await connection.execute(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD 'word'")
        await connection.execute(f"ALTER DATABASE {database} OWNER TO {name}")
        for schema in SCHEMAS:
            await connection.execute(
                f"GRANT {role(schema)} TO {name} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE"
            )
        server = admin.rpartition("@")[2]
        await provision(f"postgresql://{name}:word@{server}", passwords)
        assert await rows(role_url(admin, "teams", passwords["teams"]), "SELECT 1")
    finally:
        await connection.execute(f"ALTER DATABASE {database} OWNER TO CURRENT_USER")
        await connection.execute(f"DROP OWNED BY {name}")
        await connection.execute(f"DROP ROLE {name}")
        await connection.close()


async def test_a_login_without_rights_is_told_what_it_lacks(
    database_server: DatabaseServer, empty: tuple[str, dict[str, str]]
) -> None:
    admin, passwords = empty
    name = f"nobody_{uuid4().hex[:8]}"
    connection = await asyncpg.connect(admin, timeout=10)
    try:
        await connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'word'")
        server = admin.rpartition("@")[2]
        with pytest.raises(ProvisionError, match="CREATEROLE"):
            await provision(f"postgresql://{name}:word@{server}", passwords)
    finally:
        await connection.execute(f"DROP ROLE {name}")
        await connection.close()


async def test_a_server_that_is_not_there_is_told_in_a_sentence() -> None:
    with pytest.raises(ProvisionError, match="cannot be used"):
        await provision("postgresql://a:b@127.0.0.1:1/x", derived_passwords(bytes(32)))


async def test_a_database_is_made_once(database_server: DatabaseServer) -> None:
    name = f"Made-{uuid4().hex[:8]}"
    await create_database(database_server.admin, name)
    await create_database(database_server.admin, name)
    made = with_database(database_server.admin, name)
    assert (await rows(made, "SELECT current_database() AS name"))[0]["name"] == name
    await rows(database_server.admin, f'DROP DATABASE "{name}"')


async def test_the_server_accepts_the_verifier_we_compute(database_server: DatabaseServer) -> None:
    name = f"verified_{uuid4().hex[:8]}"
    await rows(
        database_server.admin, f"CREATE ROLE {name} LOGIN PASSWORD '{scram_verifier('a b!c')}'"
    )
    server = database_server.admin.rpartition("@")[2]
    assert await rows(f"postgresql://{name}:a%20b%21c@{server}", "SELECT 1")
    await rows(database_server.admin, f"DROP ROLE {name}")


def test_addresses_keep_their_options() -> None:
    url = "postgresql://admin:word@db.example:5433/main?sslmode=require"
    assert role_url(url, "auth", "p@ss") == (
        "postgresql://guildhall_auth:p%40ss@db.example:5433/main?sslmode=require"
    )
    assert with_database(url, "other") == (
        "postgresql://admin:word@db.example:5433/other?sslmode=require"
    )


def test_passwords_differ_by_schema_and_by_root() -> None:
    one, two = derived_passwords(b"1" * 32), derived_passwords(b"2" * 32)
    assert len({*one.values(), *two.values()}) == 2 * len(SCHEMAS)
