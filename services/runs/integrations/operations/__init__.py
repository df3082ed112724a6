"""Settings of organizations: what holds, what changes, and who may be filed with."""

from __future__ import annotations

from services.runs.integrations.operations.reading import values

__all__ = ["values"]
