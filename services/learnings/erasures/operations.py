"""What is erased with an account or an organization.

A learning is its organization's: it stays when its writer goes, without a word of who that was.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.learnings.backup import operations as backup
from services.learnings.company import operations as company
from services.learnings.erasures import store
from services.learnings.proprietary import operations as proprietary
from shared.bus import outbox
from shared.contracts.learnings import ErasureCompleted
from shared.db import Connection


async def forget_account(connection: Connection, account_id: str, org_ids: Sequence[str]) -> None:
    """Forget a writer, and the organizations that went along. Says erasure.completed.

    Runs in the transaction of the inbox; a second time finds nothing and answers again.
    """
    for org_id in org_ids:
        await forget_organization(connection, org_id)
    await store.forget_writer(connection, account_id)
    await outbox.add(connection, ErasureCompleted(account_id=account_id))


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Forget all that an organization learned, and its name.

    Runs in the transaction of the inbox. A row without a name stays, so that news of the
    organization that come late do not bring the name back.
    """
    await store.keep_forgotten(connection, org_id)
    await store.delete_landmarks(connection, org_id)
    await store.delete_learnings(connection, org_id)
    await backup.forget_organization(connection, org_id)
    await proprietary.forget_organization(connection, org_id)
    await company.forget_organization(connection, org_id)
