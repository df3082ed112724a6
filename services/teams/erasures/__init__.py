"""Forgetting accounts that were erased, and organizations that went with them."""

from __future__ import annotations
