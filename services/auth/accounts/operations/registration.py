"""Becoming somebody: registering, verifying the address, and who never did."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from services.auth.accounts import rules, store
from services.auth.accounts.models import Registered, Registration
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.mail.models import NOBODY
from services.auth.mail.operations import MailSender, write
from services.auth.organizations.operations import create_for
from services.auth.passwords.models import SHORTEST_ON_LEARNINGS
from services.auth.passwords.operations import Passwords, check_new
from shared.bus import outbox
from shared.contracts.auth import AccountDeleted, AccountRegistered, AccountVerified
from shared.db import Connection, Database
from shared.errors import BadRequest
from shared.ids import new_id
from shared.log import get_logger
from shared.principal import Kind, Principal
from shared.secret import encode_base64url

VERIFICATION_LIFE: Final = timedelta(hours=24)
UNVERIFIED_LIFE: Final = timedelta(days=30)
"""After which an account whose address nobody verified is dropped."""

ADMINISTRATOR: Final = "Administrator"
SWEEP_BATCH: Final = 1_000

log = get_logger()


async def register(
    database: Database,
    passwords: Passwords,
    mail: MailSender,
    public_url: str,
    registration: Registration,
    origin: Origin,
) -> Registered:
    """Register a person, or write to the one who has the address already.

    Both answer alike and cost alike: one hash, the same statements, one letter, a fresh id. Says
    account.registered.

    Raises:
        Invalid: the password is too weak.
    """
    email, name = registration.email, registration.name
    check_new(registration.password, shortest=SHORTEST_ON_LEARNINGS, field="password", email=email)
    password_hash = await passwords.hash(registration.password)
    key, fresh = rules.email_key(email), new_id("usr_")
    event = AccountRegistered(account_id=fresh)
    async with database.transaction() as connection:
        account_id = await store.upsert_unverified(
            connection, event, email, key, name, password_hash
        )
        known = await store.find_by_email(connection, key)
        token = await _new_token(connection, account_id or "")
        if account_id is None and known is not None:
            values = {"name": known.name, "public_url": public_url}
            await write(connection, "known_address", known.email, **values)
        else:
            await write(connection, "verification", email, public_url=public_url, token=token)
        target = known.id if known is not None else ""
        refused = account_id is None
        await record(
            connection, AuditEvent("account.registered", origin, target=target, refused=refused)
        )
    mail.ring()
    return Registered(id=fresh, email=email)


async def verify_email(database: Database, token: str, origin: Origin) -> None:
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
        org_id = await _complete(connection, account.id, account.name)
        actor = Principal(Kind.USER, account.id, org_id, account=account.id)
        await record(connection, AuditEvent("account.verified", origin, actor, target=account.id))


async def resend_verification(
    database: Database, mail: MailSender, public_url: str, email: str
) -> None:
    """Write again to an address that waits to be verified; do as much for any other in vain."""
    async with database.transaction() as connection:
        account = await store.find_by_email(connection, rules.email_key(email))
        waits = account is not None and not account.verified and not account.disabled
        account_id, recipient = (account.id, account.email) if account and waits else ("", NOBODY)
        token = await _new_token(connection, account_id)
        await write(connection, "verification", recipient, public_url=public_url, token=token)
    mail.ring()


async def admit(connection: Connection, email: str, name: str) -> str | None:
    """Make an account for a person whose address somebody else proved, in the caller's transaction.

    It has no password. One that waits to be verified is taken over, and its password goes: whoever
    chose that one has proved nothing.

    Returns:
        The account's id, or None when the address is a verified account's already.
    """
    key, event = rules.email_key(email), AccountRegistered(account_id=new_id("usr_"))
    account_id = await store.upsert_unverified(connection, event, email, key, name, None)
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
    event = AccountRegistered(account_id=new_id("usr_"))
    async with database.transaction() as connection:
        account_id = await store.upsert_unverified(
            connection, event, email, key, ADMINISTRATOR, password_hash
        )
        if account_id is not None:
            await _complete(connection, account_id, ADMINISTRATOR)
        else:
            # Verified meanwhile, by its owner or by a replica that starts at the same moment.
            known = await store.find_by_email(connection, key)
            account_id = known.id if known is not None else ""
        await store.set_platform_admin(connection, account_id)
    log.info("platform administrator is there", account_id=account_id)


async def sweep(database: Database) -> None:
    """Drop accounts whose address nobody verified in a month, and moves that nobody confirmed.

    Says account.deleted.
    """
    async with database.connection() as connection:
        await store.delete_expired_email_changes(connection)
    swept = SWEEP_BATCH
    while swept == SWEEP_BATCH:
        async with database.transaction() as connection:
            gone = await store.delete_unverified(connection, UNVERIFIED_LIFE, SWEEP_BATCH)
            await outbox.add_all(connection, [AccountDeleted(account_id=one) for one in gone])
        swept = len(gone)


async def _new_token(connection: Connection, account_id: str) -> str:
    token = rules.TOKEN_PREFIX + encode_base64url(secrets.token_bytes(32))
    await store.replace_verification(connection, account_id, rules.digest(token), VERIFICATION_LIFE)
    return token


async def _complete(connection: Connection, account_id: str, name: str) -> str:
    """Make a registered person one who can act: verified, and owner of an organization."""
    await outbox.add(connection, AccountVerified(account_id=account_id))
    organization = await create_for(connection, account_id, name)
    await store.set_verified(connection, account_id, organization.id)
    return organization.id
