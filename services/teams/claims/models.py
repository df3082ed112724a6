"""The secret with which a team is claimed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.api import Answer


@dataclass(frozen=True, slots=True, repr=False)
class NewSecret:
    """A secret as it is told once, and what is stored of it.

    Attributes:
        text: ``trc_ocs_`` and 24 characters.
        lookup: a public digest to find the team by.
        hash: a slow hash to prove it by.
    """

    text: str
    lookup: bytes
    hash: str


@dataclass(frozen=True, slots=True, repr=False)
class Candidate:
    """A team that nobody owns, found by the beginning of a secret, and the hash to prove it by."""

    team_id: str
    hash: str


class Claimed(Answer):
    """``POST /api/teams/claim``."""

    status: Literal["claimed"] = "claimed"
