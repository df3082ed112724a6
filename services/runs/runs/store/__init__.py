"""The SQL of runs, by topic."""

from __future__ import annotations
