"""Making vectors of new and changed learnings, beside all else.

Each organization has a place in its own sequence up to which its learnings have vectors; since the
sequence is in the order of commits, nothing is missed. Several processes may do it at once: an
organization is leased by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from services.learnings.search.operations.provider import NoVectors
from services.learnings.search.operations.searching import Searcher, Vectors
from services.learnings.search.store import vectors as store
from shared.db import Database
from shared.errors import Unavailable
from shared.log import get_logger
from shared.service import Resources

BATCH: Final = 64
"""Learnings that are sent to the provider at once."""

POLL_S: Final = 5.0
"""Seconds between two looks for something new."""

LONGEST_PAUSE_S: Final = 300.0

log = get_logger()


@asynccontextmanager
async def embedding(resources: Resources, database: Database) -> AsyncIterator[None]:
    """Make vectors of new learnings where a provider is configured, until the context is left."""
    vectors = resources[Searcher].vectors
    if vectors is None:
        yield
        return
    task = asyncio.create_task(_work(vectors, database), name="embedding")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _work(vectors: Vectors, database: Database) -> None:
    failures = 0
    while True:
        try:
            was_busy = await embed_some(vectors, database)
            failures = 0
            pause = 0.0 if was_busy else POLL_S
        except NoVectors as error:
            pause = _pause(failures)
            failures += 1
            log.warning("no vectors", reason=error.reason, seconds=pause)
        except Unavailable:
            pause = POLL_S
        except Exception:
            # A row that nobody thought of must not end the task.
            pause = _pause(failures)
            failures += 1
            log.exception("embedding failed")
        await asyncio.sleep(pause)


def _pause(failures: int) -> float:
    return min(LONGEST_PAUSE_S, POLL_S * (1 << min(failures, 10)))


async def embed_some(vectors: Vectors, database: Database) -> bool:
    """Make one batch of vectors, of one organization; tell whether there was anything to do.

    Raises:
        NoVectors: the provider failed; the organization is tried again when its lease is over.
    """
    size, model = vectors.provider.size, vectors.provider.model
    async with database.connection() as connection:
        claimed = await store.claim(connection, size, model)
        if claimed is None:
            await store.forget_empty(connection, size)
            return False
        texts = await store.texts(connection, size, model, claimed, BATCH)
    wanted = [text for text in texts if text.is_new]
    made = await vectors.provider.of_texts([text.text for text in wanted]) if wanted else []
    at = texts[-1].sequence if len(texts) == BATCH else max(claimed.until, claimed.after)
    async with database.transaction() as connection:
        if made:
            pairs = list(zip(wanted, made, strict=True))
            await store.keep(connection, vectors.schema, size, model, claimed.org_id, pairs)
        await store.release(connection, size, model, claimed.org_id, at)
    return True
