"""Decisions about settings and about messages to channels."""

from __future__ import annotations

from services.runs.integrations.rules.messages import (
    error_of_answer,
    error_of_failure,
    headers,
    is_final,
    seconds_to_wait,
    test_message,
)
from services.runs.integrations.rules.values import checked, holding, shown, trackers

__all__ = [
    "checked",
    "error_of_answer",
    "error_of_failure",
    "headers",
    "holding",
    "is_final",
    "seconds_to_wait",
    "shown",
    "test_message",
    "trackers",
]
