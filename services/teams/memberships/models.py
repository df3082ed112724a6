"""What is told of memberships."""

from __future__ import annotations

from typing import Literal

from shared.api import Answer


class Disconnected(Answer):
    """``DELETE /api/token/{token}/erase``."""

    status: Literal["disconnected"] = "disconnected"
    teams_removed: int
