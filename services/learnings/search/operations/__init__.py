"""Searching, what a learning is to be found by, and the vectors that may help."""

from __future__ import annotations

from services.learnings.search.operations.embedding import embedding
from services.learnings.search.operations.searching import Searcher
from services.learnings.search.rules.keys import grams_of, tag_keys

__all__ = ["Searcher", "embedding", "grams_of", "tag_keys"]
