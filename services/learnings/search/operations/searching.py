"""Searching."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from services.learnings.search.models import (
    LIVE,
    QUERY_CUT,
    Filters,
    Found,
    Frequencies,
    Query,
    SearchQuestion,
    SearchRequest,
    Wanted,
)
from services.learnings.search.operations.provider import Provider
from services.learnings.search.rules.keys import gram_keys, pieces_of, tag_keys, words_of
from services.learnings.search.rules.plans import (
    estimate,
    plan,
    rare_tags,
    rarest,
    rarest_grams,
    weights,
)
from services.learnings.search.store import finding, reading, sampling
from services.learnings.search.store import vectors as vectors_store
from services.learnings.settings import LearningsSettings
from shared.db import Connection, Database
from shared.log import get_logger

log = get_logger()

SMALL: Final = 2000
"""Learnings up to which every word's list is short enough to be read whole."""

FRESH_S: Final = 600.0
"""Seconds for which a sample is used."""

GROWTH: Final = 1.2
"""By how much an organization may grow before it is sampled anew."""

FILTERED: Final = 1000
"""Learnings, best first, among which a key's policy chooses."""

MOST_SAMPLES: Final = 32
"""Organizations whose samples a process keeps, about half a megabyte each."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Who makes vectors, and the schema of the extension that compares them."""

    provider: Provider
    schema: str


class Searcher:
    """Finds an organization's learnings by what is asked for; a resource. See ``opened``."""

    def __init__(self, database: Database, vectors: Vectors | None = None) -> None:
        self._database = database
        self.vectors = vectors
        self._samples: OrderedDict[str, tuple[float, Frequencies]] = OrderedDict()

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, settings: LearningsSettings, database: Database
    ) -> AsyncIterator[Searcher]:
        """Open what searching needs: with vectors where both provider and pgvector are there."""
        if settings.embeddings_url is None:
            yield cls(database)
            return
        async with database.transaction() as connection:
            schema = await vectors_store.home(connection)
            if schema is not None:
                await vectors_store.prepare(connection, schema, settings.embeddings_size)
        if schema is None:
            log.warning("searching without vectors", reason="the database has no pgvector")
            yield cls(database)
            return
        async with Provider.opened(settings) as provider:
            yield cls(database, Vectors(provider, schema))

    async def search(self, org_id: str, body: SearchRequest) -> str:
        """Answer a search as a JSON array of items, best first."""
        wanted = _wanted(body, body.limit)
        vector = await self._vector(wanted)
        async with self._database.connection() as connection:
            found = await self._find(connection, org_id, wanted, vector, blank_is_all=True)
            return await reading.items(connection, org_id, found)

    async def look_up(self, asked: SearchQuestion) -> str:
        """Answer a sibling service's search as a JSON array of excerpts, best first.

        What the policy of a key leaves out is left out of the most promising learnings, so that of
        a large organization a narrow policy may leave fewer than there are.
        """
        wanted = _wanted(asked, FILTERED if asked.key_id else asked.limit)
        vector = await self._vector(wanted)
        async with self._database.connection() as connection:
            found = await self._find(connection, asked.org_id, wanted, vector, blank_is_all=True)
            return await reading.excerpts(
                connection, asked.org_id, found, asked.key_id, asked.limit
            )

    async def find(self, org_id: str, wanted: Wanted) -> Found:
        """Find one page of results, best first; the total counts those that were ranked.

        Of a large organization, only the most promising few thousand are.
        """
        vector = await self._vector(wanted)
        async with self._database.connection() as connection:
            return await self._find(connection, org_id, wanted, vector, blank_is_all=False)

    async def leading_tags(
        self, connection: Connection, org_id: str, tags: Sequence[str], most: int
    ) -> list[int]:
        """Give the tags' keys if at most so many learnings seem to have all of them, else none.

        None: the list's own order then finds enough of them sooner than their index would.
        """
        if not tags:
            return []
        _, rows = await finding.read_terms(connection, org_id, "")
        frequencies = await self._frequencies(connection, org_id, rows)
        keys = tag_keys(org_id, tags)
        seem = min(estimate(frequencies.grams, key, frequencies) for key in keys)
        return keys if seem <= most else []

    async def _vector(self, wanted: Wanted) -> Sequence[float] | None:
        """Ask for the query's vector, before a connection is taken that others could use."""
        if self.vectors is None or not words_of(wanted.query):
            return None
        return await self.vectors.provider.of_query(wanted.query[:QUERY_CUT])

    async def _nearest(
        self, connection: Connection, org_id: str, vector: Sequence[float] | None
    ) -> Sequence[str]:
        if self.vectors is None or vector is None:
            return ()
        provider = self.vectors.provider
        return await vectors_store.nearest(
            connection, self.vectors.schema, provider.size, provider.model, org_id, vector
        )

    async def _find(
        self,
        connection: Connection,
        org_id: str,
        wanted: Wanted,
        vector: Sequence[float] | None,
        *,
        blank_is_all: bool,
    ) -> Found:
        wanted = replace(wanted, query=wanted.query[:QUERY_CUT])
        terms, rows = await finding.read_terms(connection, org_id, wanted.query)
        words = words_of(wanted.query)
        if not words and not terms and not blank_is_all:
            return Found()
        frequencies = await self._frequencies(connection, org_id, rows)
        if not words and not terms:
            tags = rare_tags(wanted.filters, org_id, frequencies)
            return await reading.browse(connection, org_id, wanted, tags)
        terms = rarest(terms, frequencies)
        pieces = set(chain.from_iterable(map(pieces_of, words)))
        grams = rarest_grams(gram_keys(org_id, pieces), frequencies)
        chosen = plan(terms, wanted, org_id, frequencies)
        near = await self._nearest(connection, org_id, vector)
        query = Query(terms, grams, weights(grams, frequencies), near)
        return await finding.find(connection, org_id, wanted, query, chosen)

    async def _frequencies(self, connection: Connection, org_id: str, rows: int) -> Frequencies:
        if rows <= SMALL:
            return Frequencies(rows)
        drawn_at, kept = self._samples.get(org_id, (0.0, None))
        now = time.monotonic()
        if kept is not None and now - drawn_at < FRESH_S and rows <= kept.rows * GROWTH:
            self._samples.move_to_end(org_id)
            return kept
        if kept is not None:
            # Others go on with the old one meanwhile.
            self._samples[org_id] = (now, kept)
        drawn = await sampling.sample(connection, org_id, rows)
        self._samples[org_id] = (now, drawn)
        while len(self._samples) > MOST_SAMPLES:
            self._samples.popitem(last=False)
        return drawn


def _wanted(body: SearchRequest, limit: int) -> Wanted:
    """Say a request as a search: without what is over or out of use, unless it is asked for."""
    filters = Filters(
        statuses=body.status or LIVE,
        tags=body.tags or (),
        min_impact=body.min_impact,
        type=body.type,
        source_project=body.source_project,
        origin_project=body.origin_project,
        expired=False,
    )
    return Wanted(body.query, filters, limit=limit)
