"""Runs: their queue, what happens in them, their reports (runs contract, 3.4, 7.1, 8)."""

from __future__ import annotations
