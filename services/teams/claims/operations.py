"""Use cases of claiming a team."""

from __future__ import annotations

import asyncio
from typing import Final

from services.teams.claims import rules
from services.teams.claims.models import NewSecret

AT_ONCE: Final = 2
"""Slow hashes under way; the rest wait their turn."""

_turn: Final = asyncio.Semaphore(AT_ONCE)


async def mint() -> NewSecret:
    """Make a secret, off the event loop."""
    async with _turn:
        return await asyncio.to_thread(rules.mint)
