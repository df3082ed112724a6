"""Performing an intent on a stage."""

from __future__ import annotations

from services.runs.engine.actions.forms import log_in
from services.runs.engine.actions.opening import open_address
from services.runs.engine.actions.performing import perform
from services.runs.engine.actions.windows import foresee

__all__ = ["foresee", "log_in", "open_address", "perform"]
