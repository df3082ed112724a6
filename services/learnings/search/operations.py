"""Searching, and what a learning is to be found by."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.learnings.search.rules import grams_of
from shared.db import Database
from shared.service import Resources

__all__ = ["embedding", "grams_of"]


@asynccontextmanager
async def embedding(resources: Resources, database: Database) -> AsyncIterator[None]:
    """Make vectors of new learnings where a provider is configured, until the context is left."""
    yield
