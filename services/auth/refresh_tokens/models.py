"""Refresh tokens in rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Use(StrEnum):
    """What it means that a refresh token was shown."""

    GOOD = "good"
    """It was not used before, or only a moment ago: two tabs of one browser renew at once."""

    REUSED = "reused"
    """It was used long ago: it, or its successor, is in the hands of a thief."""

    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Family:
    """The session that a refresh token renews; all of its refresh tokens are one family."""

    account_id: str
    session_id: str
