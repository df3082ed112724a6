"""Settings of organizations: what holds, what changes, and what is said to their channels."""

from __future__ import annotations

from services.runs.integrations.operations.channels import Said, configured, say
from services.runs.integrations.operations.managing import (
    change,
    forget_organization,
    show,
    test_notification,
    trackers,
)
from services.runs.integrations.operations.reading import model_of, of_environment, values

__all__ = [
    "Said",
    "change",
    "configured",
    "forget_organization",
    "model_of",
    "of_environment",
    "say",
    "show",
    "test_notification",
    "trackers",
    "values",
]
