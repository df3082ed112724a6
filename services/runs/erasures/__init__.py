"""Forgetting accounts and organizations that were erased."""

from __future__ import annotations
