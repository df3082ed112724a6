"""Use cases of sessions."""

from __future__ import annotations

from services.agents.sessions.operations.bell import Bell

__all__ = ["Bell"]
