"""Plans: kept, run when asked, and run by their schedules."""

from __future__ import annotations

from services.runs.plans.operations.keeping import (
    delete,
    forget_account,
    forget_organization,
    list_page,
    read,
    save,
)
from services.runs.plans.operations.scheduling import Scheduler, scheduling
from services.runs.plans.operations.starting import start

__all__ = [
    "Scheduler",
    "delete",
    "forget_account",
    "forget_organization",
    "list_page",
    "read",
    "save",
    "scheduling",
    "start",
]
