"""Use cases of lost and changed passwords."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from services.auth.accounts import operations as accounts
from services.auth.accounts.models import Account
from services.auth.api_keys import operations as api_keys
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.device_logins import operations as device_logins
from services.auth.external_logins import operations as external_logins
from services.auth.machines import operations as machines
from services.auth.mail.models import NOBODY
from services.auth.mail.operations import MailSender, write
from services.auth.password_resets import rules, store
from services.auth.password_resets.models import Check
from services.auth.passwords.models import SHORTEST_ON_LEARNINGS
from services.auth.passwords.operations import Passwords, check_new
from services.auth.sessions.operations import end_all
from services.auth.throttles.models import Counted
from services.auth.throttles.operations import LOGIN_BY_ACCOUNT, forgive
from services.auth.two_factor import operations as two_factor
from shared.db import Connection, Database
from shared.errors import BadRequest, Unauthenticated
from shared.principal import Kind, Principal
from shared.secret import encode_base64url

RESET_LIFE: Final = timedelta(hours=1)
DEAD_TOKEN: Final = "Invalid or expired token"  # noqa: S105 - a sentence


async def request(
    database: Database, mail: MailSender, public_url: str, email: str, origin: Origin
) -> None:
    """Write to the owner of an address; do as much in vain for one that has no account."""
    async with database.transaction() as connection:
        account = await accounts.find_by_email(connection, email)
        if account is not None and account.disabled:
            account = None
        account_id, recipient = (account.id, account.email) if account else ("", NOBODY)
        token = await issue(connection, account_id, RESET_LIFE)
        values = {"link": rules.link(public_url, token), "token": token, "public_url": public_url}
        await write(connection, "password_reset", recipient, **values)
        await record(connection, AuditEvent("password.forgotten", origin, target=account_id))
    mail.ring()


async def issue(connection: Connection, account_id: str, life: timedelta) -> str:
    """Make a token that sets an account's password once; the one before dies.

    The caller mails ``link`` of it to the account's own address, and nowhere else.
    """
    token = rules.TOKEN_PREFIX + encode_base64url(secrets.token_bytes(32))
    await store.replace(connection, account_id, rules.digest(token), life)
    return token


def link(public_url: str, token: str) -> str:
    """Give the address of the page where a token is used."""
    return rules.link(public_url, token)


async def holds(database: Database, token: str) -> bool:
    """Tell whether a token would set a password, without using it."""
    async with database.connection() as connection:
        return await store.find(connection, rules.digest(token)) is not None


async def reset(
    database: Database,
    passwords: Passwords,
    mail: MailSender,
    token: str,
    new_password: str,
    origin: Origin,
) -> None:
    """Set a password by the token of a letter, and end every session of the account.

    The letter proves the address, but verifies no account that was not. Where only an admin had
    vouched for it, the admin may have signed in before the owner: then keys, second factor,
    machines and external identities end too. Says session.revoked and, of such an account,
    account.verified, api_key.revoked and machine.revoked.

    Raises:
        BadRequest: the token is unknown, used, replaced or expired.
        Invalid: the password is too weak; the token still works.
    """
    digest = rules.digest(token)
    async with database.connection() as connection:
        account_id = await store.find(connection, digest)
        account = await accounts.find(connection, account_id) if account_id is not None else None
    if account is None:
        raise BadRequest(DEAD_TOKEN)
    check_new(
        new_password, shortest=SHORTEST_ON_LEARNINGS, field="new_password", email=account.email
    )
    password_hash = await passwords.hash(new_password)
    async with database.transaction() as connection:
        account = await accounts.lock(connection, account.id)
        if account is None or not await store.use(connection, account.id, digest):
            raise BadRequest(DEAD_TOKEN)
        await accounts.set_password(connection, account.id, password_hash)
        was_vouched = await accounts.note_proved(connection, account.id)
        # Whoever guessed until now knows nothing any more, and the owner wants to sign in.
        key = accounts.email_key(account.email)
        await forgive(connection, Counted(LOGIN_BY_ACCOUNT, key))
        actor = Principal(Kind.USER, account.id, account.active_org_id or "", account=account.id)
        await record(connection, AuditEvent("password.reset", origin, actor, target=account.id))
        await end_all(connection, account.id, origin=origin, actor=actor, reason="password_reset")
        if was_vouched and account.password_hash.text is not None:
            await _end_credentials(connection, account, actor, origin)
        await write(connection, "password_changed", account.email, name=account.name)
    mail.ring()


async def _end_credentials(
    connection: Connection, account: Account, actor: Principal, origin: Origin
) -> None:
    await api_keys.revoke_all(connection, account.id, origin, actor)
    await two_factor.remove(connection, account.id, account.email, origin, actor)
    await device_logins.void(connection, account.id)
    await machines.revoke_all(connection, account.id, actor, origin)
    await external_logins.unlink_all(connection, account.id, actor, origin)


async def change(
    database: Database,
    passwords: Passwords,
    mail: MailSender,
    principal: Principal,
    current: str,
    new: str,
    origin: Origin,
    check: Check,
) -> None:
    """Set a new password for one who knows the old one, and end their other sessions.

    Args:
        database: the service's.
        passwords: checks the old one and hashes the new one.
        mail: rung for the letter that tells of it.
        principal: the caller.
        current: the old password.
        new: the new one.
        origin: where the request came from.
        check: refuses a weak one in the words of the surface.

    Raises:
        RateLimited: too many wrong passwords.
        Unauthenticated: the old password is wrong.
        Forbidden: the caller is no person who is signed in.
    """
    account = await accounts.prove_password(database, passwords, principal, current, origin)
    check(new, account.email)
    password_hash = await passwords.hash(new)
    async with database.transaction() as connection:
        await accounts.lock(connection, account.id)
        proved = account.password_hash.text
        if not await accounts.set_password(
            connection, account.id, password_hash, instead_of=proved
        ):
            raise Unauthenticated(accounts.WRONG_PASSWORD)
        await store.delete_for(connection, account.id)
        await record(
            connection, AuditEvent("password.changed", origin, principal, target=account.id)
        )
        await end_all(
            connection,
            account.id,
            except_session=principal.session,
            origin=origin,
            actor=principal,
            reason="password_changed",
        )
        await write(connection, "password_changed", account.email, name=account.name)
    mail.ring()


async def sweep(database: Database) -> None:
    """Drop tokens that nobody used in time."""
    async with database.connection() as connection:
        await store.delete_expired(connection)
