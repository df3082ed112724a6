"""The SQL of search, by topic."""

from __future__ import annotations
