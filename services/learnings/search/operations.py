"""Searching, and what a learning is to be found by."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from shared.db import Database
from shared.service import Resources


def grams_of(org_id: str, summary: str, tags: Sequence[str]) -> list[int]:
    """Give what ``learning.grams`` holds: 32-bit hashes, salted by the organization."""
    return []


@asynccontextmanager
async def embedding(resources: Resources, database: Database) -> AsyncIterator[None]:
    """Make vectors of new learnings where a provider is configured, until the context is left."""
    yield
