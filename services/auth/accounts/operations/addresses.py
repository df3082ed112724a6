"""Moving an account to another address: asked with the password, confirmed by a letter there."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from services.auth.accounts import rules, store
from services.auth.accounts.models import EmailChange
from services.auth.accounts.operations.login import prove_password
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.mail.operations import MailSender, write
from services.auth.passwords.operations import Passwords
from shared.bus import outbox
from shared.contracts.auth import AccountDeleted, AccountVerified
from shared.db import Connection, Database, UniqueViolation
from shared.errors import BadRequest
from shared.principal import Principal
from shared.secret import encode_base64url

CHANGE_LIFE: Final = timedelta(hours=1)
DEAD_TOKEN: Final = "Invalid or expired token"  # noqa: S105 - a sentence


async def request_email(
    database: Database,
    passwords: Passwords,
    mail: MailSender,
    public_url: str,
    principal: Principal,
    change: EmailChange,
    origin: Origin,
) -> None:
    """Write a token to the new address and a notice to the old one.

    An address that has an account already gets a letter that says so; the caller is told nothing.

    Raises:
        RateLimited: too many wrong passwords.
        Unauthenticated: the password is wrong.
        Forbidden: the caller is no person who is signed in.
    """
    account = await prove_password(database, passwords, principal, change.password, origin)
    key = rules.email_key(change.new_email)
    token = rules.EMAIL_PREFIX + encode_base64url(secrets.token_bytes(32))
    async with database.transaction() as connection:
        holder = await store.find_by_email(connection, key)
        is_free = holder is None or not holder.verified or holder.id == account.id
        await store.replace_email_change(
            connection, account.id, change.new_email, key, rules.digest(token), CHANGE_LIFE
        )
        if is_free:
            values = {"name": account.name, "public_url": public_url, "token": token}
            await write(connection, "email_change", change.new_email, **values)
        else:
            assert holder is not None
            values = {"name": holder.name, "public_url": public_url}
            await write(connection, "known_address", holder.email, **values)
        values = {"name": account.name, "new_email": change.new_email, "public_url": public_url}
        await write(connection, "email_change_notice", account.email, **values)
        await _record(connection, "email.change_requested", principal, origin)
    mail.ring()


async def confirm_email(
    database: Database, mail: MailSender, principal: Principal, token: str, origin: Origin
) -> None:
    """Move the caller's account to the address that the token was mailed to.

    An account that waits there to be verified goes: nobody has proved that the address is theirs.
    Says account.verified: what waits for the new address is the caller's now.

    Raises:
        BadRequest: the token is unknown, used, replaced, expired or another account's, or the
            address has a verified account by now.
        Forbidden: the caller is no person who is signed in.
    """
    principal.require_person()
    try:
        async with database.transaction() as connection:
            await _move(connection, principal, rules.digest(token), origin)
    except UniqueViolation:
        raise BadRequest(DEAD_TOKEN) from None
    mail.ring()


async def _move(
    connection: Connection, principal: Principal, digest: bytes, origin: Origin
) -> None:
    account = await store.lock(connection, principal.account)
    change = await store.take_email_change(connection, principal.account, digest)
    if account is None or change is None:
        raise BadRequest(DEAD_TOKEN)
    gone = await store.delete_unverified_holder(connection, change["email_key"], account.id)
    if gone is not None:
        await outbox.add(connection, AccountDeleted(account_id=gone))
    await store.set_email(connection, account.id, change["email"], change["email_key"])
    await outbox.add(connection, AccountVerified(account_id=account.id))
    values = {"name": account.name, "new_email": change["email"]}
    await write(connection, "email_changed", account.email, **values)
    await _record(connection, "email.changed", principal, origin)


async def _record(
    connection: Connection, action: str, principal: Principal, origin: Origin
) -> None:
    await record(connection, AuditEvent(action, origin, principal, target=principal.account))
