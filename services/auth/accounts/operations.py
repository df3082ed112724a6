"""Use cases of accounts: registering, verifying an address, proving a password, who am I."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from services.auth.accounts import rules, store
from services.auth.accounts.models import Account, Registered, Registration, User
from services.auth.accounts.rules import email_key as email_key
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record_alone
from services.auth.mail.operations import MailSender, write
from services.auth.organizations.operations import create_for
from services.auth.passwords.models import SHORTEST_ON_LEARNINGS
from services.auth.passwords.operations import Passwords, check_new
from services.auth.throttles.models import Counted
from services.auth.throttles.operations import (
    LOGIN_BY_ACCOUNT,
    LOGIN_BY_ADDRESS,
    fail,
    forgive,
    require,
)
from shared.bus import outbox
from shared.contracts.auth import AccountRegistered, AccountVerified
from shared.db import Connection, Database
from shared.errors import BadRequest, Forbidden, Unauthenticated
from shared.ids import new_id
from shared.log import get_logger
from shared.principal import Principal
from shared.secret import encode_base64url

VERIFICATION_LIFE: Final = timedelta(hours=24)
ADMINISTRATOR: Final = "Administrator"
WRONG_LOGIN: Final = "Invalid email or password"

log = get_logger()


async def register(
    database: Database,
    passwords: Passwords,
    mail: MailSender,
    public_url: str,
    registration: Registration,
) -> Registered:
    """Register a person, or write to the one who has the address already.

    Both answer alike: one hash, one transaction, one letter, a fresh id. Says account.registered.

    Raises:
        Invalid: the password is too weak.
    """
    check_new(
        registration.password,
        shortest=SHORTEST_ON_LEARNINGS,
        field="password",
        email=registration.email,
    )
    password_hash = await passwords.hash(registration.password)
    key = rules.email_key(registration.email)
    fresh = new_id("usr_")
    async with database.transaction() as connection:
        account_id = await store.upsert_unverified(
            connection, fresh, registration.email, key, registration.name, password_hash
        )
        if account_id is None:
            known = await store.find_by_email(connection, key)
            recipient = known.email if known is not None else registration.email
            name = known.name if known is not None else registration.name
            await write(connection, "known_address", recipient, name=name, public_url=public_url)
        else:
            await _send_verification(connection, account_id, registration.email, public_url)
        if account_id == fresh:
            await outbox.add(connection, AccountRegistered(account_id=fresh))
    mail.ring()
    return Registered(id=fresh, email=registration.email)


async def verify_email(database: Database, token: str) -> None:
    """Verify an address by the token of its letter, and give the person an organization.

    Says account.verified, organization.created and membership.changed.

    Raises:
        BadRequest: the token is unknown, used, replaced or expired.
    """
    digest = rules.digest(token)
    async with database.transaction() as connection:
        account = await store.lock_by_verification(connection, digest)
        if account is None or account.verified or account.disabled:
            raise BadRequest("Invalid or expired token")
        if not await store.delete_verification(connection, account.id, digest):
            raise BadRequest("Invalid or expired token")
        await _complete(connection, account.id, account.name)


async def resend_verification(
    database: Database, mail: MailSender, public_url: str, email: str
) -> None:
    """Write again to an address that waits to be verified; do nothing for any other."""
    async with database.transaction() as connection:
        account = await store.find_by_email(connection, rules.email_key(email))
        if account is None or account.verified or account.disabled:
            return
        await _send_verification(connection, account.id, account.email, public_url)
    mail.ring()


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


async def read_user(database: Database, principal: Principal) -> User:
    """Give the person behind the caller, as they act in the active organization.

    Raises:
        Forbidden: no person stands behind the credential.
        Unauthenticated: the account is gone or disabled.
    """
    if not principal.account:
        raise Forbidden("This credential belongs to no account")
    async with database.connection() as connection:
        row = await store.find_user(connection, principal.account, principal.org)
    if row is None:
        raise Unauthenticated
    return User(**{**row, "role": rules.shown_role(row["role"], row["platform_admin"])})


async def find_proved(connection: Connection, email: str) -> Account | None:
    """Find the account whose owner has proved by a letter that this address is theirs."""
    return await store.find_proved(connection, rules.email_key(email))


async def admit(connection: Connection, email: str, name: str) -> str | None:
    """Make an account for a person whose address somebody else proved, in the caller's transaction.

    It has no password. One that waits to be verified is taken over, and its password goes: whoever
    chose that one has proved nothing.

    Returns:
        The account's id, or None when the address is a verified account's already.
    """
    fresh = new_id("usr_")
    key = rules.email_key(email)
    account_id = await store.upsert_unverified(connection, fresh, email, key, name, None)
    if account_id == fresh:
        await outbox.add(connection, AccountRegistered(account_id=fresh))
    if account_id is not None:
        await _complete(connection, account_id, name)
    return account_id


async def ensure_administrator(
    database: Database, passwords: Passwords, email: str, password: str
) -> None:
    """Make the first platform administrator of the settings, unless there already.

    An account that verified the address itself keeps its password and is only promoted.
    """
    key = rules.email_key(email)
    async with database.connection() as connection:
        account = await store.find_by_email(connection, key)
    if account is not None and account.verified and account.platform_admin:
        return
    password_hash = await passwords.hash(password)
    fresh = new_id("usr_")
    async with database.transaction() as connection:
        account_id = await store.upsert_unverified(
            connection, fresh, email, key, ADMINISTRATOR, password_hash
        )
        if account_id == fresh:
            await outbox.add(connection, AccountRegistered(account_id=fresh))
        if account_id is not None:
            await _complete(connection, account_id, ADMINISTRATOR)
        else:
            # Verified meanwhile, by its owner or by a replica that starts at the same moment.
            known = await store.find_by_email(connection, key)
            account_id = known.id if known is not None else ""
        await store.set_platform_admin(connection, account_id)
    log.info("platform administrator is there", account_id=account_id)


async def _send_verification(
    connection: Connection, account_id: str, email: str, public_url: str
) -> None:
    token = rules.TOKEN_PREFIX + encode_base64url(secrets.token_bytes(32))
    await store.replace_verification(connection, account_id, rules.digest(token), VERIFICATION_LIFE)
    await write(connection, "verification", email, public_url=public_url, token=token)


async def _complete(connection: Connection, account_id: str, name: str) -> None:
    """Make a registered person one who can act: verified, and owner of an organization."""
    await outbox.add(connection, AccountVerified(account_id=account_id))
    organization = await create_for(connection, account_id, name)
    await store.set_verified(connection, account_id, organization.id)
