"""What can be done with learnings: record, list, read, change."""

from __future__ import annotations

from services.learnings.learnings.operations.changing import change, retire
from services.learnings.learnings.operations.forward import read_forward
from services.learnings.learnings.operations.incidents import record_issue
from services.learnings.learnings.operations.reading import find, page, show
from services.learnings.learnings.operations.recording import record, record_batch
from services.learnings.learnings.rules import origin_of_client

__all__ = [
    "change",
    "find",
    "origin_of_client",
    "page",
    "read_forward",
    "record",
    "record_batch",
    "record_issue",
    "retire",
    "show",
]
