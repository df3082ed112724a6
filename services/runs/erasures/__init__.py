"""Forgetting accounts that were erased; runs holds nothing of them yet."""

from __future__ import annotations
