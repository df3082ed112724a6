"""Which clients an organization has, derived from their calls."""

from __future__ import annotations
