"""SQL of namespaces in use."""

from __future__ import annotations

from shared.bus import outbox
from shared.contracts.agents import NamespaceClaimed
from shared.db import Connection


async def insert(connection: Connection, event: NamespaceClaimed) -> None:
    """Add a namespace and say so in the same statement; nothing if it is there already."""
    says, said = outbox.part(event, 2, "claimed")
    await connection.execute(
        f"""
        WITH claimed AS (
            INSERT INTO agents.namespace (digest) VALUES (sha256(convert_to($1, 'UTF8')))
            ON CONFLICT DO NOTHING RETURNING digest
        ){says}
        """,  # noqa: S608 - made of constants
        event.namespace,
        *said,
    )
