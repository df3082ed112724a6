"""Mirroring failures: owed in the transaction in which a run ends, filed by clerks."""

from __future__ import annotations

from services.runs.trackers.operations.clerk import Clerk, mirroring
from services.runs.trackers.operations.owing import forget_organization, owing, sweep

__all__ = ["Clerk", "forget_organization", "mirroring", "owing", "sweep"]
