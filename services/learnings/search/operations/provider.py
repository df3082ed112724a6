"""The client of the service that makes vectors: OpenAI's ``POST /embeddings``, as many speak it.

Whatever it answers, a search goes on: what is no good is as if there were no provider.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
from pydantic_core import from_json

from services.learnings.settings import LearningsSettings
from shared.log import get_logger

QUERY_TIMEOUT: Final = 1.0
"""Seconds that a search waits for its query's vector."""

BATCH_TIMEOUT: Final = 30.0
"""Seconds that a batch of learnings may take."""

LARGEST: Final = 16_777_216
"""Bytes of an answer."""

MOST_KEPT: Final = 256
"""Queries whose vectors are kept."""

PAUSE_S: Final = 10.0
"""Seconds without asking after a query got no vector, doubled up to eight times as long."""

log = get_logger()

Vector = list[float]


class NoVectors(Exception):
    """The provider gave none. ``reason`` is for logs."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Provider:
    """Makes vectors of one size with one model. Open it with ``opened``."""

    def __init__(self, client: httpx.AsyncClient, settings: LearningsSettings) -> None:
        self._client = client
        self._url = f"{str(settings.embeddings_url).rstrip('/')}/embeddings"
        self._kept: OrderedDict[str, Vector] = OrderedDict()
        self._failures = 0
        self._paused_until = 0.0
        self.model = settings.embeddings_model
        self.size = settings.embeddings_size

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: LearningsSettings) -> AsyncIterator[Provider]:
        """Open the client; it closes with the context."""
        headers = {"accept": "application/json"}
        if settings.embeddings_key is not None:
            headers["authorization"] = f"Bearer {settings.embeddings_key.get_secret_value()}"
        async with httpx.AsyncClient(
            headers=headers, trust_env=False, follow_redirects=False, timeout=BATCH_TIMEOUT
        ) as client:
            yield cls(client, settings)

    async def of_query(self, query: str) -> Vector | None:
        """Give a query's vector within a second, or none."""
        if query in self._kept:
            self._kept.move_to_end(query)
            return self._kept[query]
        if time.monotonic() < self._paused_until:
            return None
        try:
            async with asyncio.timeout(QUERY_TIMEOUT):
                (vector,) = await self._ask([query])
        except (NoVectors, TimeoutError) as error:
            pause = PAUSE_S * 2 ** min(self._failures, 3)
            self._failures += 1
            self._paused_until = time.monotonic() + pause
            log.info("searching without vectors", reason=repr(error), seconds=pause)
            return None
        self._failures = 0
        self._kept[query] = vector
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return vector

    async def of_texts(self, texts: Sequence[str]) -> list[Vector]:
        """Give the vectors of several texts.

        Raises:
            NoVectors: the provider did not answer in time, or not with vectors.
        """
        try:
            async with asyncio.timeout(BATCH_TIMEOUT):
                return await self._ask(texts)
        except TimeoutError:
            raise NoVectors("took too long") from None

    async def _ask(self, texts: Sequence[str]) -> list[Vector]:
        body = {"model": self.model, "input": list(texts), "dimensions": self.size}
        answer = bytearray()
        try:
            async with self._client.stream("POST", self._url, json=body) as response:
                if response.status_code != 200:
                    raise NoVectors(f"status {response.status_code}")
                async for piece in response.aiter_bytes():
                    answer += piece
                    if len(answer) > LARGEST:
                        raise NoVectors("too large")
        except httpx.HTTPError as error:
            raise NoVectors(type(error).__name__) from None
        return _vectors(bytes(answer), len(texts), self.size)


def _vectors(answer: bytes, count: int, size: int) -> list[Vector]:
    """Read an answer: as many vectors as texts, in the order of their indexes."""
    try:
        data: list[Any] = from_json(answer, allow_inf_nan=False)["data"]
        found = {int(item["index"]): [float(n) for n in item["embedding"]] for item in data}
        vectors = [found[index] for index in range(count)]
    except (ValueError, KeyError, TypeError, OverflowError):
        raise NoVectors("not vectors") from None
    if any(len(vector) != size or not 0 < math.hypot(*vector) < math.inf for vector in vectors):
        raise NoVectors("not vectors of the right size")
    return vectors
