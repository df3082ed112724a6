"""Decisions about trackers: whom to tell, what is said, and what follows from an answer."""

from __future__ import annotations

from services.runs.trackers.rules.accounts import account_of, configured, wanted
from services.runs.trackers.rules.documents import document_of, text_of
from services.runs.trackers.rules.judging import (
    failure_of_answer,
    failure_of_fetch,
    outcome_of_failure,
    seconds_to_wait,
)
from services.runs.trackers.rules.workflows import reopening
from services.runs.trackers.rules.writing import (
    fingerprint_in,
    label_of,
    marked,
    marker_of,
    message_of,
    signature_of,
)

__all__ = [
    "account_of",
    "configured",
    "document_of",
    "failure_of_answer",
    "failure_of_fetch",
    "fingerprint_in",
    "label_of",
    "marked",
    "marker_of",
    "message_of",
    "outcome_of_failure",
    "reopening",
    "seconds_to_wait",
    "signature_of",
    "text_of",
    "wanted",
]
