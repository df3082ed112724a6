"""What is erased with an account or an organization.

A learning is its organization's: it stays when its writer goes, without a word of who that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.learnings.backup import operations as backup
from services.learnings.company import operations as company
from services.learnings.erasures import store
from services.learnings.proprietary import operations as proprietary
from services.learnings.telemetry import operations as telemetry
from shared.bus import outbox
from shared.contracts.learnings import ErasureCompleted
from shared.db import Connection

EVERYTHING: Final = (
    store.delete_own,
    store.delete_answers,
    telemetry.forget_organization,
    backup.forget_organization,
    proprietary.forget_organization,
    company.forget_organization,
)
"""What holds something of an organization, each in its turn."""


async def forget_account(connection: Connection, account_id: str, org_ids: Sequence[str]) -> None:
    """Forget a writer, and the organizations that went along. Says erasure.completed.

    Runs in the transaction of the inbox; a second time finds nothing and answers again.
    """
    for org_id in org_ids:
        await forget_organization(connection, org_id)
    await store.lock_organizations_of(connection, account_id)
    await store.forget_writer(connection, account_id)
    await store.delete_submissions_of(connection, account_id)
    await store.delete_answers_to(connection, account_id)
    await outbox.add(connection, ErasureCompleted(account_id=account_id))


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Forget all that an organization learned, and its name.

    Runs in the transaction of the inbox. A row without a name stays, so that news of the
    organization that come late do not bring the name back.
    """
    # First, because whoever writes learnings of it waits for this row.
    await store.keep_forgotten(connection, org_id)
    for delete in EVERYTHING:
        await delete(connection, org_id)
