"""What is erased with an account or an organization.

With an account go its sessions, what it posted in those of others, and its name in the audit log.
With an organization goes everything in the namespace that is its slug, whoever made it. Erasures
run one after the other, in the transaction of the inbox; a second time finds nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from services.agents.access import operations as access
from services.agents.agents import operations as agents
from services.agents.agents.models import DEFAULT_NAMESPACE
from services.agents.audit import operations as audit
from services.agents.erasures import store
from services.agents.erasures.models import Gone
from services.agents.sessions.operations import working
from shared.bus import outbox
from shared.contracts.agents import ErasureCompleted, SessionChanged
from shared.db import Connection
from shared.log import get_logger

BATCH: Final = 100
"""Sessions that are deleted in one statement, each with all its messages."""

LATE: Final = timedelta(minutes=1)
"""After an organization's end, what is made in its namespace belongs to it for so long; from then
on it is of whoever has the name next."""

log = get_logger()


async def forget_account(
    connection: Connection, account_id: str, org_ids: Sequence[str], said_at: datetime
) -> None:
    """Forget a person, and the organizations that went along. Says erasure.completed.

    Args:
        connection: in a transaction.
        account_id: the person's.
        org_ids: of those organizations.
        said_at: when auth erased the account.
    """
    await store.take_turn(connection)
    for org_id in org_ids:
        await forget_organization(connection, org_id, said_at)
    await _in_batches(connection, lambda: store.delete_sessions_of(connection, account_id, BATCH))
    await _forget_messages(connection, account_id)
    await audit.forget_person(connection, account_id)
    await store.delete_answers_to(connection, account_id)
    await outbox.add(connection, ErasureCompleted(account_id=account_id))


async def forget_organization(connection: Connection, org_id: str, said_at: datetime) -> None:
    """Forget an organization, and everything in its namespace.

    Its people hold nothing through it from now on. What everybody shares is nobody's: the namespace
    ``default`` stays whatever an organization is called.

    Args:
        connection: in a transaction.
        org_id: the organization's.
        said_at: when auth deleted it.
    """
    await store.take_turn(connection)
    await access.end_organization(connection, org_id)
    await store.delete_answers_in(connection, org_id)
    namespace = await access.slug_of(connection, org_id)
    if namespace is None or namespace == DEFAULT_NAMESPACE:
        log.info("no namespace to erase", org_id=org_id)
        return
    until = said_at + LATE
    await _in_batches(
        connection, lambda: store.delete_sessions_in(connection, namespace, until, BATCH)
    )
    await store.delete_choices(connection, namespace, until)
    await agents.forget_namespace(connection, namespace, until)
    await store.delete_workspace(connection, namespace, until)
    await audit.forget_namespace(connection, namespace, until)
    await access.forget_slug(connection, org_id)


async def _in_batches(connection: Connection, delete: Callable[[], Awaitable[list[Gone]]]) -> None:
    """Delete sessions until there are none. Says session.changed, so that who follows them ends."""
    while gone := await delete():
        told = [
            SessionChanged(
                session_id=str(session.id),
                namespace=session.namespace,
                state="DELETED",
                number=session.number + 1,
            )
            for session in gone
            if session.was_there
        ]
        if told:
            await outbox.add_all(connection, told)


async def _forget_messages(connection: Connection, account_id: str) -> None:
    """Delete what a person posted in sessions of others; a turn that answers it ends."""
    while found := await store.find_sessions_with(connection, account_id, BATCH):
        for session_id in found:
            session = await working.lock_by_id(connection, session_id)
            if session and await store.is_answering(connection, session_id, account_id):
                await working.end_turn(connection, session, store.REASON)
            await store.delete_messages(connection, session_id, account_id)
