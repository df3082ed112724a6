"""What is filed of a report, by what it is known again, and how it reads."""

from __future__ import annotations

from services.runs.issues.rules.editing import changes_of, words_of
from services.runs.issues.rules.findings import findings_of
from services.runs.issues.rules.keys import hash_of, number_of
from services.runs.issues.rules.writing import clean

__all__ = ("changes_of", "clean", "findings_of", "hash_of", "number_of", "words_of")
