"""Errands: ``perform`` for who waits for one, the rest for who talks with one while it works."""

from __future__ import annotations

from services.runs.errands.operations.asking import (
    amend,
    begin,
    end,
    forget,
    forget_organization,
    heard,
    perform,
    result,
    state,
    tell,
)
from services.runs.errands.operations.working import (
    claim,
    finish,
    look,
    reconcile,
    renew,
    take_wishes,
    write_told,
)

__all__ = [
    "amend",
    "begin",
    "claim",
    "end",
    "finish",
    "forget",
    "forget_organization",
    "heard",
    "look",
    "perform",
    "reconcile",
    "renew",
    "result",
    "state",
    "take_wishes",
    "tell",
    "write_told",
]
