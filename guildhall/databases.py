"""Which databases the commands work on: given ones, a given server, or the embedded one.

- With ``GUILDHALL_<SERVICE>_DATABASE_URL`` a schema's login is taken as it is, and somebody else
  has made role and schema: this is how images are deployed.
- With ``GUILDHALL_DATABASE_URL`` the roles and schemas are made on that server.
- Else the embedded PostgreSQL of the data dir is used.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from guildhall.provision import (
    DATABASE,
    SCHEMAS,
    create_database,
    derived_passwords,
    provision,
    role_url,
    with_database,
)
from guildhall.secret_files import load_or_make
from guildhall.settings import CommandSettings
from shared.settings import PREFIX

if TYPE_CHECKING:
    from guildhall.embedded.server import EmbeddedPostgres

_POSTGRES: Final = ("postgres", "postgresql")


def given_urls(
    settings: CommandSettings, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Collect the logins that the environment gives, by schema."""
    found = {
        schema: value
        for schema in SCHEMAS
        if (value := environment.get(f"{PREFIX}{schema.upper()}_DATABASE_URL"))
    }
    if (broker := broker_url(settings)) and urlsplit(broker).scheme in _POSTGRES:
        found.setdefault("bus", broker)
    return found


def needed_schemas(settings: CommandSettings) -> list[str]:
    """List the schemas in use: with a broker of another kind the ``bus`` is not."""
    broker = broker_url(settings)
    if broker and urlsplit(broker).scheme not in _POSTGRES:
        return [schema for schema in SCHEMAS if schema != "bus"]
    return list(SCHEMAS)


def broker_url(settings: CommandSettings) -> str | None:
    """Give the broker's address, if it is given and not the database's own bus."""
    return settings.broker_url.get_secret_value() if settings.broker_url else None


def embedded(settings: CommandSettings) -> EmbeddedPostgres:
    """Give the data dir's own PostgreSQL, not started.

    Raises:
        NoPrograms: the wheel with its programs is not installed.
        NoAccount: as root, there is no user to run it as.
    """
    # Imported here, because images run without the wheel and what comes with it.
    from guildhall.embedded.place import find_place
    from guildhall.embedded.server import EmbeddedPostgres

    return EmbeddedPostgres(find_place(settings.directory))


async def prepare(admin_url: str, root_secret: bytes, *, is_embedded: bool) -> dict[str, str]:
    """Make roles and schemas on a server and give the logins, by schema.

    Args:
        admin_url: a login that may; on the embedded server any database, on others the one to use.
        root_secret: from which the passwords are derived.
        is_embedded: whether to make and use the database ``guildhall`` there.

    Raises:
        ProvisionError: the server will not do.
    """
    passwords = derived_passwords(root_secret)
    if is_embedded:
        await create_database(admin_url)
        admin_url = with_database(admin_url, DATABASE)
    await provision(admin_url, passwords)
    return {schema: role_url(admin_url, schema, passwords[schema]) for schema in SCHEMAS}


@asynccontextmanager
async def reach(settings: CommandSettings) -> AsyncIterator[dict[str, str]]:
    """Give the logins of the schemas in use, starting the embedded server if nobody has.

    Raises:
        Failure: of one kind or another: no server, no secret, no right.
    """
    given, needed = given_urls(settings), needed_schemas(settings)
    if set(needed) <= set(given):
        yield {schema: given[schema] for schema in needed}
        return
    root = load_or_make(settings).root
    if settings.database_url is not None:
        urls = await prepare(settings.database_url.get_secret_value(), root, is_embedded=False)
        yield {schema: given.get(schema, urls[schema]) for schema in needed}
        return
    server = embedded(settings)
    runs_already = await asyncio.to_thread(server.is_answering)
    if not runs_already:
        await asyncio.to_thread(server.start)
    try:
        urls = await prepare(server.url(), root, is_embedded=True)
        yield {schema: given.get(schema, urls[schema]) for schema in needed}
    finally:
        if not runs_already:
            await asyncio.to_thread(server.stop)
