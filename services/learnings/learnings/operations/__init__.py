"""What can be done with learnings: record, list, read, change."""

from __future__ import annotations

from services.learnings.learnings.operations.reading import find, page, show
from services.learnings.learnings.operations.recording import change, record

__all__ = ["change", "find", "page", "record", "show"]
