"""What must be there at start: the first roles, and a service account that holds everything."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from services.auth.audit_events.models import Origin
from services.auth.passwords.operations import Passwords
from services.auth.role_bindings.operations import bind_administrator
from services.auth.roles import operations as roles
from services.auth.roles.models import Holder
from services.auth.roles.operations import Change
from services.auth.service_accounts import rules, store
from services.auth.service_accounts.models import ADMINISTRATOR
from services.auth.service_accounts.operations.accounts import say
from shared.db import Connection, Database
from shared.log import get_logger
from shared.principal import ANONYMOUS

DESCRIPTION: Final = "Default admin service account"

log = get_logger()


class UnsafePassword(Exception):
    """A service account has a password that everybody knows, and this is no development."""


async def ensure_bootstrap(
    database: Database, passwords: Passwords, password: str | None, *, is_development: bool
) -> None:
    """Make the first roles, and the account ``admin`` where there is no service account yet.

    Args:
        database: the service's.
        passwords: hashes the password.
        password: of ``admin``; without one none is made.
        is_development: whether a password may be one that everybody knows.

    Raises:
        UnsafePassword: one is, and may not; ``password`` replaces that of ``admin``.
    """
    async with database.connection() as connection:
        unsafe = set(await store.names_with_known_password(connection))
        is_wanted = ADMINISTRATOR in unsafe or not await store.exists(connection)
    password_hash = None
    if password is not None and is_wanted:
        password_hash = await passwords.hash(password)
    async with database.transaction() as connection:
        await roles.lock(connection)
        await roles.ensure_seeds(connection)
        if password is not None and password_hash is not None:
            is_known = rules.is_known(ADMINISTRATOR, password)
            if not await store.exists(connection):
                await _make(connection, password_hash, is_known)
            elif not is_development and not is_known and ADMINISTRATOR in unsafe:
                await _replace_password(connection, password_hash)
        unsafe = set(await store.names_with_known_password(connection))
        if unsafe and not is_development:
            names = ", ".join(sorted(unsafe))
            raise UnsafePassword(f"everybody knows the password of service account: {names}")
    if unsafe:
        log.warning("a password that everybody knows", service_accounts=sorted(unsafe))


def _change(connection: Connection) -> Change:
    return Change(connection, Holder(ANONYMOUS, ()), Origin())


async def _make(connection: Connection, password_hash: str, is_known: bool) -> None:
    change = _change(connection)
    version = await change.advance()
    account = await store.insert(
        connection, uuid4(), ADMINISTRATOR, password_hash, DESCRIPTION, is_known, version
    )
    assert account is not None  # there was none at all
    await say(change, account, "service_account.created", version)
    await bind_administrator(change, account.id, account.name)
    log.info("service account is there", name=account.name)


async def _replace_password(connection: Connection, password_hash: str) -> None:
    change = _change(connection)
    account = await store.find_by_name(connection, ADMINISTRATOR)
    assert account is not None  # its password is among the unsafe
    version = await change.advance()
    await store.set_password(connection, account.id, password_hash, False, version)
    await say(change, account, "service_account.password_changed", version)
