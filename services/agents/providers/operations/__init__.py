"""Answering a turn: ``check_input``, ``Providers.complete``, ``apply_output``, in that order."""

from __future__ import annotations

from services.agents.providers.operations.completing import Providers
from services.agents.providers.operations.guarding import apply_output, check_input

__all__ = ["Providers", "apply_output", "check_input"]
