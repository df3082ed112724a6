"""SQL: finding one session. An id names its namespace; rights are judged on what is found."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from services.agents.sessions.models import Session, State
from shared.db import Connection, Record

SHOWN_STATE: Final = """
    CASE WHEN s.state = 'READY' AND s.busy_until > clock_timestamp() THEN 'BUSY' ELSE s.state END
"""

COLUMNS: Final = f"""
    s.id, s.namespace, s.name, s.starting_prompt, {SHOWN_STATE} AS state, s.state AS stored,
    s.waiting_timeout_seconds, s.container_id, s.persistent_volume_id, s.owner_type, s.owner_id,
    s.created_by, s.parent_session_id, s.is_space, s.metadata, s.number, s.created_at,
    s.started_at, s.last_activity_at, s.terminated_at, s.termination_reason
"""


def session_of(row: Record) -> Session:
    """Read a row of ``COLUMNS``."""
    values: dict[str, Any] = {name: row[name] for name in Session.__slots__}
    return Session(**{**values, "state": State(row["state"]), "stored": State(row["stored"])})


async def find(connection: Connection, session_id: UUID) -> Session | None:
    """Find a session that is not deleted. Of all namespaces: its id names its own."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM agents.session s WHERE s.id = $1 AND s.deleted_at IS NULL",  # noqa: S608 - constants
        session_id,
    )
    return None if row is None else session_of(row)


async def lock(connection: Connection, session_id: UUID) -> Session | None:
    """Find a session that is not deleted, and keep it from everybody else until commit.

    Of all namespaces: its id names its own.
    """
    row = await connection.fetchrow(
        f"""
        SELECT {COLUMNS} FROM agents.session s
         WHERE s.id = $1 AND s.deleted_at IS NULL FOR UPDATE
        """,  # noqa: S608 - constants
        session_id,
    )
    return None if row is None else session_of(row)
