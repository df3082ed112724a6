"""What is told of memberships."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.api import Answer


class Disconnected(Answer):
    """``DELETE /api/token/{token}/erase``."""

    status: Literal["disconnected"] = "disconnected"
    teams_removed: int


@dataclass(frozen=True, slots=True)
class MemberMachine:
    """A machine of a team, as its owner sees it.

    Attributes:
        token: the machine's; a page shows its beginning only.
        since: when it joined, or was removed.
        is_removed: whether the owner has removed it.
    """

    token: str
    since: datetime
    is_removed: bool

    @property
    def mark(self) -> str:
        """Give the name by which a form means it, 32 hex digits: tokens stand in no page."""
        return hashlib.sha256(b"machine:" + self.token.encode()).hexdigest()[:32]
