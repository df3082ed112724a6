"""Making sessions, putting them into states, and looking behind the answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from shared.principal import Principal
from tests.services.agents.conftest import Agents

KEYS = [
    "id",
    "name",
    "namespace",
    "workspace",
    "starting_prompt",
    "state",
    "waiting_timeout_seconds",
    "container_id",
    "persistent_volume_id",
    "created_by",
    "parent_session_id",
    "agents",
    "created_at",
    "started_at",
    "last_activity_at",
    "terminated_at",
    "termination_reason",
    "metadata",
]
STATES = ["INIT", "READY", "IDLE", "BUSY", "ERROR"]


async def make(agents: Agents, principal: Principal, namespace: str, **more: Any) -> dict[str, Any]:
    """Make a session, and give it as it was answered."""
    answer = await agents.post("sessions", principal, {"namespace": namespace} | more)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def read(agents: Agents, principal: Principal, session_id: str) -> dict[str, Any]:
    """Give a session as its owner sees it."""
    answer = await agents.get(f"sessions/{session_id}", principal)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(agents: Agents, principal: Principal, **query: Any) -> list[str]:
    """Give the ids of a list."""
    answer = await agents.get("sessions", principal, params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()]


async def put_into(agents: Agents, session_id: str, state: str) -> None:
    """Put a session into a state, whatever it was in."""
    await agents.sql.execute(
        """
        UPDATE agents.session
           SET state = $2, idle_at = NULL, busy_until = NULL,
               terminated_at = CASE WHEN $2 = 'ERROR' THEN now() END,
               termination_reason = CASE WHEN $2 = 'ERROR' THEN 'it broke' END
         WHERE id = $1
        """,
        UUID(session_id),
        state,
    )


async def hold(agents: Agents, session_id: str) -> None:
    """Put a session into READY while the reply of its last turn is held back for long."""
    await put_into(agents, session_id, "READY")
    await agents.sql.execute(
        "UPDATE agents.session SET busy_until = now() + interval '1 hour' WHERE id = $1",
        UUID(session_id),
    )


async def row_of(agents: Agents, session_id: str) -> asyncpg.Record:
    """Give a session's row."""
    row = await agents.sql.fetchrow("SELECT * FROM agents.session WHERE id = $1", UUID(session_id))
    assert row is not None
    return row


async def changes_of(agents: Agents, session_id: str) -> list[str]:
    """Give the states that a session was in, the first first."""
    rows = await agents.sql.fetch(
        "SELECT state FROM agents.state_change WHERE session_id = $1 ORDER BY number",
        UUID(session_id),
    )
    return [row["state"] for row in rows]


async def jobs_of(agents: Agents, session_id: str) -> list[tuple[str, str]]:
    """Give the kinds and states of a session's jobs, the first first."""
    rows = await agents.sql.fetch(
        "SELECT kind, state FROM agents.job WHERE session_id = $1 ORDER BY number",
        UUID(session_id),
    )
    return [(row["kind"], row["state"]) for row in rows]


async def said_of(agents: Agents, session_id: str) -> list[dict[str, Any]]:
    """Give the events of a session, the first first, without their envelope."""
    rows = await agents.sql.fetch(
        "SELECT kind, payload FROM agents.outbox WHERE payload LIKE '%' || $1 || '%' ORDER BY id",
        session_id,
    )
    events = [{"kind": row["kind"], **json.loads(row["payload"])} for row in rows]
    return [
        {key: value for key, value in event.items() if key not in ("event_id", "occurred_at")}
        for event in events
    ]


async def audited(agents: Agents, session_id: str) -> list[tuple[str, str, dict[str, str]]]:
    """Give what is written down about a session: action, who, details."""
    rows = await agents.sql.fetch(
        "SELECT * FROM agents.audit_event WHERE target = $1 ORDER BY id", session_id
    )
    return [(row["action"], row["owner_id"], json.loads(row["detail"])) for row in rows]


async def snapshot_of(agents: Agents, session_id: str) -> tuple[Any, ...]:
    """Give all that a refused change must leave as it was."""
    return (
        dict(await row_of(agents, session_id)),
        await changes_of(agents, session_id),
        await jobs_of(agents, session_id),
        await said_of(agents, session_id),
        await audited(agents, session_id),
        [
            dict(row)
            for row in await agents.sql.fetch(
                "SELECT * FROM agents.work WHERE session_id = $1", UUID(session_id)
            )
        ],
    )


def time_of(text: str) -> datetime:
    """Read a time as the surface writes it."""
    assert text.endswith("Z")
    assert len(text) == len("2026-01-01T00:00:00.000000Z")
    return datetime.fromisoformat(text).astimezone(UTC)


async def moved(
    agents: Agents, principal: Principal, session_id: str, state: str, **more: Any
) -> httpx.Response:
    """Ask for a session to be moved."""
    return await agents.put(f"sessions/{session_id}/state", principal, {"state": state} | more)
