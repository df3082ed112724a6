"""Finding causes: asking the tested application's logs, and a model where there is one."""

from __future__ import annotations

from services.runs.causes.operations.explaining import Explainer

__all__ = ["Explainer"]
