"""Artifacts: kept by workers, sent to who may see their run, deleted when their time is over."""

from __future__ import annotations

from services.runs.artifacts.operations.clearing import drop, forget_organization, sweep, sweep_of
from services.runs.artifacts.operations.keeping import Store
from services.runs.artifacts.operations.sending import SCOPE, Links, send
from services.runs.artifacts.operations.sources import pieces_beneath

__all__ = (
    "SCOPE",
    "Links",
    "Store",
    "drop",
    "forget_organization",
    "pieces_beneath",
    "send",
    "sweep",
    "sweep_of",
)
