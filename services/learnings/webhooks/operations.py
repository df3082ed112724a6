"""Delivering an organization's learning events to addresses of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.db import Database
from shared.service import Resources


@asynccontextmanager
async def delivering(resources: Resources, database: Database) -> AsyncIterator[None]:
    """Deliver what is due until the context is left."""
    yield
