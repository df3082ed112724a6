"""Notifications: owed in the transaction in which a run ends, delivered by couriers."""

from __future__ import annotations

from services.runs.deliveries.operations.courier import Courier, delivering
from services.runs.deliveries.operations.owing import forget_organization, owing, sweep

__all__ = ["Courier", "delivering", "forget_organization", "owing", "sweep"]
