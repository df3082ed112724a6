"""How what happened is written. Pure."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from services.agents.events.models import Step
from shared.server_sent import written


def message(number: int, item: str) -> bytes:
    """Write a message, as lists show it."""
    return written(number, "message", item)


def change(step: Step, session_id: UUID, state: str) -> bytes:
    """Write where the session stands, in its dialect."""
    return _told(step, "state", session_id, state=state)


def deletion(step: Step, session_id: UUID) -> bytes:
    """Write the end of the session."""
    return _told(step, "deleted", session_id)


def _told(step: Step, name: str, session_id: UUID, **more: str) -> bytes:
    assert step.at is not None  # it is no message
    data: dict[str, Any] = {
        "session_id": str(session_id),
        **more,
        "reason": step.reason,
        "at": step.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    return written(step.number, name, to_json(data).decode())
