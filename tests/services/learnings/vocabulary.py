"""Texts of a realistic vocabulary: few words are everywhere, most are rare (Zipf's law)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

_COMMON: Final = (
    "test error file service value request use run fix check call when not set type data "
    "config build query cache client server table index lock timeout retry connection pool "
    "database migration async queue message event token key user session log trace schema column "
    "transaction deadlock postgres asyncpg rabbitmq consumer publisher docker image container "
    "python typescript rust module import package version release branch merge commit review "
    "pipeline worker thread process memory leak latency throughput metric alert dashboard header "
    "cookie redirect certificate proxy gateway route endpoint payload validation parser encoder "
    "fixture mock assertion coverage flake snapshot rollback deployment replica failover backup"
)
COMMON: Final = _COMMON.split()

RARE: Final = 20_000
"""Made-up words behind the common ones."""

_SYLLABLES: Final = (
    "ba co di fer gan hol in jor kel lum mar nor op pra qui ros sel tor ul ven wes xan yor zim "
    "ack bri chel dro est fli gra hus ith"
)


class Writer:
    """Writes sentences by chance; the same seed writes the same ones."""

    def __init__(self, seed: int = 1) -> None:
        self._chance = random.Random(seed)
        self.words: Final = [*COMMON, *_made_up(RARE)]
        self._weights = list(accumulate(1 / (rank + 3) for rank in range(len(self.words))))

    def sentence(self, least: int, most: int) -> str:
        """Write one of so many words."""
        count = self._chance.randint(least, most)
        return " ".join(self._chance.choices(self.words, cum_weights=self._weights, k=count))


def _made_up(count: int) -> Iterator[str]:
    """Give distinct pronounceable words, always the same."""
    chance = random.Random(7)
    syllables = _SYLLABLES.split()
    seen = set(COMMON)
    while len(seen) < count + len(COMMON):
        word = "".join(chance.choices(syllables, k=chance.randint(2, 4)))
        if word not in seen:
            seen.add(word)
            yield word
