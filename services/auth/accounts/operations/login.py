"""Proving who one is by a password."""

from __future__ import annotations

from typing import Final

from services.auth.accounts import rules, store
from services.auth.accounts.models import Account
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record_alone
from services.auth.passwords.operations import Passwords
from services.auth.throttles.models import Counted
from services.auth.throttles.operations import (
    LOGIN_BY_ACCOUNT,
    LOGIN_BY_ADDRESS,
    fail,
    forgive,
    require,
)
from shared.db import Connection, Database
from shared.errors import Forbidden, Unauthenticated
from shared.principal import Principal

WRONG_LOGIN: Final = "Invalid email or password"
WRONG_PASSWORD: Final = "The current password is wrong"  # noqa: S105 - a sentence


async def authenticate(
    database: Database, passwords: Passwords, email: str, password: str, origin: Origin
) -> Account:
    """Find the account that an address and a password open.

    One check of a password and the same statements whatever the address, so that neither time nor
    the answer tells which exist. Failures are counted by account and by network address.

    Raises:
        RateLimited: too many tries failed.
        Unauthenticated: with one text for every reason.
        Forbidden: the password is right, the address not verified yet.
    """
    key = rules.email_key(email)
    counters = (Counted(LOGIN_BY_ACCOUNT, key), Counted(LOGIN_BY_ADDRESS, origin.client))
    async with database.connection() as connection:
        await require(connection, *counters)
        account = await store.find_by_email(connection, key)
    stored = account.password_hash.text if account is not None else None
    right = await passwords.matches(stored, password)
    if account is None or not right or account.disabled:
        target = account.id if account is not None else ""
        refusal = AuditEvent("session.opened", origin, target=target, refused=True)
        await record_alone(database, refusal)
        await fail(database, *counters)
        raise Unauthenticated(WRONG_LOGIN)
    async with database.transaction() as connection:
        await require(connection, *counters)
        await forgive(connection, counters[0])
    await _renew_hash(database, passwords, account, password)
    if not account.verified:
        raise Forbidden("Email not verified")
    return account


async def require_unchanged(connection: Connection, account: Account) -> None:
    """Check that what an account was proved by still holds, for as long as the transaction lasts.

    A login that waits for its turn while the password is reset must not come to its end.

    Raises:
        Unauthenticated: the password was set anew, or the account has gone.
    """
    if not await store.lock_unchanged(connection, account):
        raise Unauthenticated(WRONG_LOGIN)


async def prove_password(
    database: Database, passwords: Passwords, principal: Principal, password: str, origin: Origin
) -> Account:
    """Have a person who is signed in show their password again; counted as logins are.

    Raises:
        RateLimited: too many tries failed.
        Unauthenticated: it is wrong, or the account has gone.
        Forbidden: the caller is no person who is signed in.
    """
    principal.require_person()
    async with database.connection() as connection:
        account = await store.find(connection, principal.account)
        if account is None or account.disabled:
            raise Unauthenticated
        key = rules.email_key(account.email)
        counters = (Counted(LOGIN_BY_ACCOUNT, key), Counted(LOGIN_BY_ADDRESS, origin.client))
        await require(connection, *counters)
    if not await passwords.matches(account.password_hash.text, password):
        refusal = AuditEvent("password.proved", origin, principal, target=account.id, refused=True)
        await record_alone(database, refusal)
        await fail(database, *counters)
        raise Unauthenticated(WRONG_PASSWORD)
    async with database.transaction() as connection:
        await require(connection, *counters)
        await forgive(connection, counters[0])
    return account


async def _renew_hash(
    database: Database, passwords: Passwords, account: Account, password: str
) -> None:
    """Hash a password again that was just right, if its hash was made at other costs."""
    stored = account.password_hash.text
    if stored is None or not passwords.is_outdated(stored):
        return
    fresh = await passwords.hash(password)
    async with database.statement() as connection:
        await store.replace_password_hash(connection, account.id, stored, fresh)
