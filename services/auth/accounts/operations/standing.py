"""Whether an account may act, for whoever changes that in a transaction of their own."""

from __future__ import annotations

from collections.abc import Sequence

from services.auth.accounts import rules, store
from services.auth.accounts.models import Account
from services.auth.organizations.operations import lock_platform_admins
from shared.bus import outbox
from shared.contracts.auth import AccountDeleted, AccountDisabled, AccountVerified
from shared.db import Connection
from shared.errors import Conflict


async def find(connection: Connection, account_id: str) -> Account | None:
    """Find an account by its id."""
    return await store.find(connection, account_id)


async def find_by_email(connection: Connection, email: str) -> Account | None:
    """Find an account by an address in any spelling."""
    return await store.find_by_email(connection, rules.email_key(email))


async def find_proved(connection: Connection, email: str) -> Account | None:
    """Find the account whose owner has proved by a letter that this address is theirs."""
    return await store.find_proved(connection, rules.email_key(email))


async def set_password(
    connection: Connection, account_id: str, password_hash: str, *, instead_of: str | None = None
) -> bool:
    """Give an account a new password; the caller ends its sessions.

    Args:
        connection: in whose transaction.
        account_id: whose.
        password_hash: of the new one.
        instead_of: the hash that the caller was proved against; False if it has changed since.
    """
    return await store.set_password(connection, account_id, password_hash, instead_of)


async def lock(connection: Connection, account_id: str) -> Account | None:
    """Find an account and take it for this transaction, before anything that hangs on it."""
    return await store.lock(connection, account_id)


async def note_proved(connection: Connection, account_id: str) -> bool:
    """Note that a letter has proved the account's address, for which only an admin vouched before.

    False where nobody had to. Says account.verified: what waits for the address is the person's.
    """
    if not await store.set_proved(connection, account_id):
        return False
    await outbox.add(connection, AccountVerified(account_id=account_id))
    return True


async def disable(connection: Connection, account_id: str) -> bool:
    """Bar an account from acting; False when it was already. Says account.disabled.

    Its sessions and keys are void at once. The caller ends the sessions beside this, so that they
    stay so when the account is let in again.

    Raises:
        Conflict: nobody would administer the installation any more.
    """
    await keep_an_administrator(connection, account_id, "disabled")
    if not await store.disable(connection, account_id):
        return False
    await outbox.add(connection, AccountDisabled(account_id=account_id))
    return True


async def enable(connection: Connection, account_id: str) -> bool:
    """Let an account act again; False when nothing barred it."""
    return await store.enable(connection, account_id)


async def delete(connection: Connection, account_id: str, org_ids: Sequence[str] = ()) -> None:
    """Delete an account with all that hangs on it. Says account.deleted.

    Args:
        connection: in whose transaction; the account is locked and may go.
        account_id: whose.
        org_ids: the organizations that went along.
    """
    await store.delete(connection, account_id)
    event = AccountDeleted(account_id=account_id, org_ids=tuple(org_ids))
    await outbox.add(connection, event)


async def keep_an_administrator(connection: Connection, account_id: str, done: str) -> None:
    """Check that somebody is left to administer the installation, and keep it so meanwhile.

    Raises:
        Conflict: the account is the last one that may.
    """
    if await lock_platform_admins(connection) == [account_id]:
        raise Conflict(f"The last platform administrator cannot be {done}")
