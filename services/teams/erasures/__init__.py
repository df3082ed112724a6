"""Forgetting accounts that were erased; teams holds nothing of them yet."""

from __future__ import annotations
