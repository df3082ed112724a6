"""Forgetting accounts that were erased, and organizations with all that is in their namespaces."""

from __future__ import annotations
