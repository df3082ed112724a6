"""Taking telemetry in, and making figures of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.db import Database
from shared.service import Resources


@asynccontextmanager
async def keeping(resources: Resources, database: Database) -> AsyncIterator[None]:
    """Make partitions and figures, drop what is old, until the context is left."""
    yield
