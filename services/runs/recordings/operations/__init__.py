"""Recordings: made into suites, and made in a browser of ours."""

from __future__ import annotations

from services.runs.recordings.operations.converting import convert
from services.runs.recordings.operations.recording import (
    Means,
    act,
    picture,
    start,
    state,
    stop,
)

__all__ = ["Means", "act", "convert", "picture", "start", "state", "stop"]
