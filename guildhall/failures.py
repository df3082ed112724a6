"""The errors that a command tells in a sentence, without a traceback."""

from __future__ import annotations


class Failure(Exception):
    """What a person can mend; the text says what is wrong and what would help."""
