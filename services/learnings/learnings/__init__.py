"""Learnings themselves: recorded, listed, read, changed."""

from __future__ import annotations
