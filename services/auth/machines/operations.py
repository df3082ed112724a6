"""Use cases of machines: linked to accounts, listed, revoked, and asked about by teams."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.machines import store
from services.auth.machines.models import (
    AccountMachines,
    Dropped,
    LinkedMachine,
    Machine,
    MachineCheck,
    MachineOwner,
    MachineOwners,
)
from services.auth.machines.rules import email_digest, name_of, shown_token
from shared.bus import outbox
from shared.contracts.auth import MachineLinked, MachineRevoked
from shared.db import Connection, Database
from shared.errors import Conflict, NotFound
from shared.ids import new_id
from shared.principal import Principal
from shared.siblings import Siblings

__all__ = ["name_of", "shown_token"]

BATCH: Final = 500
"""Machines that teams is asked about at once."""

LINKED_ELSEWHERE = "This machine is linked to another account"


async def link(
    connection: Connection, token: str, principal: Principal, name: str, origin: Origin
) -> None:
    """Link a machine to the caller's account; a machine of theirs that was revoked holds again.

    Says machine.linked.

    Raises:
        Conflict: it is linked to another account.
    """
    account_id = principal.account
    version = await store.upsert(connection, new_id("mach_"), token, account_id, name)
    if version is None:
        raise Conflict(LINKED_ELSEWHERE)
    linked = MachineLinked(token=token, account_id=account_id, version=version)
    await outbox.add(connection, linked)
    await record(connection, AuditEvent("machine.linked", origin, principal, target=token))


async def list_for(connection: Connection, account_id: str) -> list[Machine]:
    """List an account's machines, revoked ones too, the newest first."""
    return await store.list_of(connection, account_id)


async def revoke(
    database: Database, siblings: Siblings, token: str, principal: Principal, origin: Origin
) -> None:
    """Revoke a machine of the caller's; one that is revoked already stays so.

    Teams ends its memberships before this is committed; machine.revoked, which is said with it,
    ends what the machine joins between the two.

    Raises:
        NotFound: the caller has no such machine.
        Unavailable: teams did not answer; nothing has changed.
    """
    async with database.transaction() as connection:
        version = await store.revoke(connection, token, principal.account, barred=True)
        if version is not None:
            await _say_revoked(connection, {token: version}, principal.account, principal, origin)
            await end_memberships(siblings, [token])
        elif not await store.is_of(connection, token, principal.account):
            raise NotFound(code="token_not_found")


async def revoke_all(
    connection: Connection, account_id: str, actor: Principal, origin: Origin
) -> list[str]:
    """Revoke all machines of an account; give their tokens. Says machine.revoked for each."""
    revoked = await store.revoke_all(connection, account_id)
    await _say_revoked(connection, revoked, account_id, actor, origin)
    return list(revoked)


async def end_memberships(
    siblings: Siblings, tokens: Sequence[str], without_owner: str = ""
) -> None:
    """Have teams end all memberships of some machines now.

    Args:
        siblings: to ask.
        tokens: the machines'.
        without_owner: an account that is to own no team any more.

    Raises:
        Unavailable: teams did not answer; it may have ended some of them.
    """
    batches = [tokens[start : start + BATCH] for start in range(0, len(tokens), BATCH)]
    for batch in batches or [[]]:
        question = {"tokens": batch, "without_owner": without_owner}
        await siblings.ask("teams", "/internal/machines/drop", question, Dropped)


async def revoke_itself(database: Database, token: str, actor: Principal, origin: Origin) -> bool:
    """Revoke a machine that erased itself (teams contract, section 1.1); False if not linked.

    Says machine.revoked.
    """
    async with database.transaction() as connection:
        owner = (await store.find_owners(connection, [token])).get(token)
        if owner is None:
            return False
        version = await store.revoke(connection, token, owner.account_id, barred=False)
        if version is None:
            return False
        await _say_revoked(connection, {token: version}, owner.account_id, actor, origin)
    return True


async def check(database: Database, token: str) -> MachineCheck:
    """Tell whose machine a token is."""
    async with database.connection() as connection:
        owner = (await store.find_owners(connection, [token])).get(token)
    if owner is None:
        return MachineCheck(linked=False)
    if not owner.linked:
        return MachineCheck(linked=False, barred=owner.barred, version=owner.version)
    return MachineCheck(
        linked=True,
        version=owner.version,
        account_id=owner.account_id,
        machine_name=owner.machine_name,
        email_digest=email_digest(owner.email),
    )


async def owners(database: Database, tokens: Sequence[str]) -> MachineOwners:
    """Tell whose machines some tokens are, as far as they are linked."""
    async with database.connection() as connection:
        found = await store.find_owners(connection, tokens)
    return MachineOwners(
        owners={
            token: MachineOwner(
                account_id=owner.account_id,
                machine_name=owner.machine_name,
                email_digest=email_digest(owner.email),
            )
            for token, owner in found.items()
            if owner.linked
        }
    )


async def machines_of(database: Database, account_id: str) -> AccountMachines:
    """List the machines of an account that are linked now."""
    async with database.connection() as connection:
        found = await store.list_of(connection, account_id)
    linked = [machine for machine in found if machine.revoked_at is None]
    return AccountMachines(
        machines=[
            LinkedMachine(
                token=machine.token,
                machine_name=machine.machine_name,
                last_seen_at=machine.last_seen_at,
                version=machine.version,
            )
            for machine in linked
        ]
    )


async def note_seen(connection: Connection, token: str, at: datetime) -> None:
    """Note that a machine was seen; late news of an older time changes nothing."""
    await store.note_seen(connection, token, at)


async def _say_revoked(
    connection: Connection,
    versions: dict[str, int],
    account_id: str,
    actor: Principal,
    origin: Origin,
) -> None:
    events = [
        MachineRevoked(token=token, account_id=account_id, version=version)
        for token, version in versions.items()
    ]
    await outbox.add_all(connection, events)
    for token in versions:
        await record(connection, AuditEvent("machine.revoked", origin, actor, target=token))
