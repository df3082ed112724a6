"""What comes of a check."""

from __future__ import annotations

from dataclasses import dataclass

from services.runs.engine.resolver.models import Scored


@dataclass(frozen=True, slots=True)
class Judged:
    """A check that was decided, by what was seen.

    Attributes:
        passed: whether it held.
        expected: for people, what was asked, filled in and unmasked.
        observed: for people, what was there instead, unmasked, at most 1,000 characters.
    """

    passed: bool
    expected: str
    observed: str


class Undecidable(Exception):
    """A check cannot be decided here, so its case is broken.

    Attributes:
        reason: ``no_baselines``, ``unknown_check``, ``ambiguous``, ``url_not_allowed``,
            ``not_readable`` or ``unknown_name``.
        message: one sentence for the suite's author.
        candidates: what could be meant, where it is ambiguous.
    """

    def __init__(self, reason: str, message: str, candidates: tuple[Scored, ...] = ()) -> None:
        self.reason = reason
        self.message = message
        self.candidates = candidates
        super().__init__(message)
