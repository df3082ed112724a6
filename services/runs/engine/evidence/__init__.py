"""What a run leaves behind: events, reports, and no secret in either."""

from __future__ import annotations

from services.runs.engine.evidence.drawing import page
from services.runs.engine.evidence.events import Events
from services.runs.engine.evidence.junit_xml import junit
from services.runs.engine.evidence.masking import MASK, Masker
from services.runs.engine.evidence.reading import read

__all__ = ("MASK", "Events", "Masker", "junit", "page", "read")
