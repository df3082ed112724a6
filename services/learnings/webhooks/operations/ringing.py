"""How whoever adds work to a transaction wakes those who deliver, once it is committed."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Final

_noted: Final[ContextVar[bool]] = ContextVar("webhook_work_noted", default=False)


def note_work() -> None:
    """Note in this context that something is to be delivered after its commit."""
    _noted.set(True)


def ring_if_noted(bell: asyncio.Event) -> None:
    """Ring if this context has noted work since it last committed; to be called after a commit."""
    if _noted.get():
        _noted.set(False)
        bell.set()
