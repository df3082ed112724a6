"""Roles and schemas: one of each per service, and rights on nothing else (design section 4).

For each of the five services and the bus: a role ``guildhall_<name>`` that may log in, and a
schema ``<name>`` that it owns. Nobody else may connect to the database or use the schema
``public``. Where the server has pgvector, it is made usable by all (search takes it if it is told
to). May be repeated, and by several at once. Works as superuser, and as a role that may
create roles and owns the database, which is what managed servers give.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
from base64 import b64encode
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from guildhall.failures import Failure
from shared.secret import derive, encode_base64url
from shared.settings import SERVICES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SCHEMAS: Final = (*SERVICES, "bus")
DATABASE: Final = "guildhall"
EXTENSIONS: Final = "extensions"
"""The schema of PostgreSQL extensions that all roles may use."""
OLDEST: Final = 15
"""The oldest PostgreSQL that will do."""

_TIMEOUT: Final = 10.0
_ATTEMPTS: Final = 5
_SCRAM_ROUNDS: Final = 4096

# Roles belong to the whole cluster, but advisory locks to one database: who provisions a sibling
# database at the same moment is met here.
_CLASHES: Final = (asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError)


class ProvisionError(Failure):
    """The server will not do; the text says why and what would help."""


def role(schema: str) -> str:
    """Name the role that owns a schema."""
    return f"guildhall_{schema}"


def derived_passwords(root_secret: bytes) -> dict[str, str]:
    """Derive each role's password from the root secret, by schema."""
    return {
        schema: encode_base64url(derive(root_secret, f"database:{schema}")) for schema in SCHEMAS
    }


def role_url(admin_url: str, schema: str, password: str) -> str:
    """Rewrite an address for the role of a schema: same server, same database, same options."""
    parts = urlsplit(admin_url)
    server = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role(schema)}:{quote(password, safe='')}@{server}"))


def with_database(url: str, database: str) -> str:
    """Rewrite an address for another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(database, safe='')}"))


async def create_database(admin_url: str, database: str = DATABASE) -> None:
    """Make a database on the server if it is missing."""
    async with _connect(admin_url) as connection:
        if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            return
        try:
            await connection.execute(f"CREATE DATABASE {_quoted(database)}")
        except asyncpg.DuplicateDatabaseError:
            return


async def provision(admin_url: str, passwords: Mapping[str, str]) -> None:
    """Make every role and schema in the database of ``admin_url``, and set the passwords.

    Raises:
        ProvisionError: the server is too old, or the rights of this login do not suffice.
    """
    async with _connect(admin_url) as connection:
        major = connection.get_server_version().major
        if major < OLDEST:
            raise ProvisionError(f"PostgreSQL {major} is too old: {OLDEST} or newer is needed.")
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with connection.transaction():
                    await _provision(connection, passwords)
            except asyncpg.InsufficientPrivilegeError as error:
                raise ProvisionError(
                    f"The login in GUILDHALL_DATABASE_URL may not set up the database ({error}): "
                    "it must own the database and have CREATEROLE."
                ) from error
            except (*_CLASHES, asyncpg.InternalServerError):  # "tuple concurrently updated"
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(0.05 * attempt)
                continue
            return


async def _provision(connection: asyncpg.Connection, passwords: Mapping[str, str]) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('provision', 0))")
    database = _quoted(await connection.fetchval("SELECT current_database()"))
    await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    for schema in SCHEMAS:
        name = role(schema)
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name):
            await connection.execute(f"CREATE ROLE {name} LOGIN")
        verifier = scram_verifier(passwords[schema])
        await connection.execute(f"ALTER ROLE {name} LOGIN PASSWORD '{verifier}'")
        await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {name}")
        if not await connection.fetchval("SELECT to_regnamespace($1)", schema):
            await _join(connection, name)
            await connection.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {name}")
    await _offer_vectors(connection)


async def _offer_vectors(connection: asyncpg.Connection) -> None:
    """Make pgvector usable by every role, where the server has it and this login may."""
    have = "SELECT count(*) FROM {} WHERE {} = 'vector'"
    if await connection.fetchval(have.format("pg_extension", "extname")):
        return
    if not await connection.fetchval(have.format("pg_available_extensions", "name")):
        return
    try:
        async with connection.transaction():
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {EXTENSIONS}")
            for schema in SCHEMAS:
                await connection.execute(f"GRANT USAGE ON SCHEMA {EXTENSIONS} TO {role(schema)}")
            await connection.execute(f"CREATE EXTENSION vector SCHEMA {EXTENSIONS}")
    except asyncpg.InsufficientPrivilegeError:
        return  # search works without


async def _join(connection: asyncpg.Connection, name: str) -> None:
    """Become a member of the role, which giving it a schema asks of all but superusers."""
    may = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
    if not await connection.fetchval(may):
        await connection.execute(f"GRANT {name} TO CURRENT_USER")


def scram_verifier(password: str) -> str:
    """Make what PostgreSQL stores of a password (RFC 5803), so that it never sees the password.

    Sent in place of the password, so that no statement log can hold one. Our passwords are ASCII,
    which SASLprep leaves alone.
    """
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _SCRAM_ROUNDS)
    client = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    stored = b64encode(hashlib.sha256(client).digest()).decode()
    server = b64encode(hmac.new(salted, b"Server Key", hashlib.sha256).digest()).decode()
    return f"SCRAM-SHA-256${_SCRAM_ROUNDS}:{b64encode(salt).decode()}${stored}:{server}"


@asynccontextmanager
async def _connect(url: str) -> AsyncIterator[asyncpg.Connection]:
    try:
        connection = await asyncpg.connect(
            url, timeout=_TIMEOUT, command_timeout=_TIMEOUT, statement_cache_size=0
        )
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise ProvisionError(f"The PostgreSQL server cannot be used: {error}") from error
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
