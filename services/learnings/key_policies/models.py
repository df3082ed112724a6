"""Policies of keys on the wire (learnings contract, sections 6.1 "feed filter" and 8.11)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from shared.api import Answer, Body

MOST_POLICIES: Final = 1000
"""Of one organization."""

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def _once(words: list[str]) -> list[str]:
    return list(dict.fromkeys(words))


Words = Annotated[list[Word], Field(max_length=100), AfterValidator(_once)]


class NewPolicy(Body):
    """The body of PUT: what is not sent is not limited.

    Attributes:
        origin_projects: pulled and streamed are only rows of these; empty for all.
        tags: and only rows with one of these; empty for all.
        min_impact: and only rows of at least this impact.
        quota: learnings that the key may record in all; null for the installation's default.
    """

    origin_projects: Words = []
    tags: Words = []
    min_impact: Annotated[float, Field(strict=True, ge=0, le=1)] = 0
    quota: Annotated[int, Field(strict=True, ge=0, lt=2**63)] | None = None


class Policy(Answer):
    """A policy, and how much of its quota is used up."""

    key_id: str
    origin_projects: list[str]
    tags: list[str]
    min_impact: float
    quota: int | None
    recorded: int
    updated_at: datetime
