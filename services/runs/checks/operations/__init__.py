"""Checks without a browser."""

from __future__ import annotations

from services.runs.checks.operations.baselines import approve, delete, find, page, picture
from services.runs.checks.operations.calling import call
from services.runs.checks.operations.comparing import compare
from services.runs.checks.operations.files import (
    forget_account,
    forget_organization,
    sweep,
    sweep_of,
)

__all__ = (
    "approve",
    "call",
    "compare",
    "delete",
    "find",
    "forget_account",
    "forget_organization",
    "page",
    "picture",
    "sweep",
    "sweep_of",
)
