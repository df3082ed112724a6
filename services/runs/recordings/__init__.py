"""Recordings: what people did in a browser becomes a suite (runs contract, 3.9 and 12)."""

from __future__ import annotations
