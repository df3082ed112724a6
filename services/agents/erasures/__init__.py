"""Forgetting accounts that were erased; agents holds nothing of them yet."""

from __future__ import annotations
