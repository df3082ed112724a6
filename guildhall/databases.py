"""Which databases the commands work on: given ones, a given server, or the embedded one.

- With ``GUILDHALL_<SERVICE>_DATABASE_URL`` a schema's login is taken as it is, and somebody else
  has made role and schema: this is how images are deployed.
- With ``GUILDHALL_DATABASE_URL`` the roles and schemas are made on that server.
- Else the embedded PostgreSQL of the data dir is used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
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
from guildhall.settings import CommandSettings
from shared.settings import PREFIX

_POSTGRES = ("postgres", "postgresql")


def given_urls(
    settings: CommandSettings, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Collect the logins that the environment gives, by schema."""
    found = {
        schema: value
        for schema in SCHEMAS
        if (value := environment.get(f"{PREFIX}{schema.upper()}_DATABASE_URL"))
    }
    broker = settings.broker_url and settings.broker_url.get_secret_value()
    if broker and urlsplit(broker).scheme in _POSTGRES:
        found.setdefault("bus", broker)
    return found


def needed_schemas(settings: CommandSettings) -> list[str]:
    """List the schemas in use: with a broker of another kind the ``bus`` is not."""
    broker = settings.broker_url and settings.broker_url.get_secret_value()
    if broker and urlsplit(broker).scheme not in _POSTGRES:
        return [schema for schema in SCHEMAS if schema != "bus"]
    return list(SCHEMAS)


async def prepare(admin_url: str, root_secret: bytes, *, embedded: bool) -> dict[str, str]:
    """Make roles and schemas on a server and give the logins, by schema.

    Args:
        admin_url: a login that may; of the ``embedded`` server any database, of others the one
            to use.
        root_secret: from which the passwords are derived.
        embedded: whether to make and use the database ``guildhall`` there.

    Raises:
        ProvisionError: the server will not do.
    """
    passwords = derived_passwords(root_secret)
    if embedded:
        await create_database(admin_url)
        admin_url = with_database(admin_url, DATABASE)
    await provision(admin_url, passwords)
    return {schema: role_url(admin_url, schema, passwords[schema]) for schema in SCHEMAS}
