"""Recordings: made into suites, and made in a browser of ours."""

from __future__ import annotations

from services.runs.recordings.operations.converting import convert

__all__ = ["convert"]
