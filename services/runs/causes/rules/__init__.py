"""Decisions about causes: what is asked of logs, how lines are read, and what they mean."""

from __future__ import annotations

from services.runs.causes.rules.asking import (
    backend_of,
    is_id,
    is_installations,
    questions_of,
)
from services.runs.causes.rules.backends import read, wanted
from services.runs.causes.rules.causes import (
    base_url_of,
    cases_of,
    cause_of,
    question_of,
    with_found,
)
from services.runs.causes.rules.lines import cleaned, joined, read_line

__all__ = [
    "backend_of",
    "base_url_of",
    "cases_of",
    "cause_of",
    "cleaned",
    "is_id",
    "is_installations",
    "joined",
    "question_of",
    "questions_of",
    "read",
    "read_line",
    "wanted",
    "with_found",
]
