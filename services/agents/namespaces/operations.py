"""Telling auth of namespaces as they come into use."""

from __future__ import annotations

from services.agents.namespaces import store
from shared.contracts.agents import NamespaceClaimed
from shared.db import Connection


async def claim(connection: Connection, namespace: str) -> None:
    """Note that something is put into a namespace, in the caller's transaction.

    Says namespace.claimed the first time. Making a session does the same within its own statement.
    """
    await store.insert(connection, NamespaceClaimed(namespace=namespace))
