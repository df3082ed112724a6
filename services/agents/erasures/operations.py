"""What is erased with an account."""

from __future__ import annotations

from shared.bus import outbox
from shared.contracts.agents import ErasureCompleted
from shared.db import Connection


async def forget_account(connection: Connection, account_id: str) -> None:
    """Answer that nothing is held of an account. Says erasure.completed.

    Runs in the transaction of the inbox. Whatever the service comes to hold of accounts is to be
    erased here before the answer.
    """
    await outbox.add(connection, ErasureCompleted(account_id=account_id))
