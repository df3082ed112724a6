"""Recordings: made into suites, and made in a browser of ours."""

from __future__ import annotations

from services.runs.recordings.operations.converting import convert
from services.runs.recordings.operations.live import LivePages
from services.runs.recordings.operations.means import Means
from services.runs.recordings.operations.recording import (
    act,
    picture,
    start,
    state,
    stop,
)

__all__ = ["LivePages", "Means", "act", "convert", "picture", "start", "state", "stop"]
