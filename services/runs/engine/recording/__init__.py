"""What a person did in a browser, made into a suite."""

from __future__ import annotations

from services.runs.engine.recording.converting import convert

__all__ = ["convert"]
