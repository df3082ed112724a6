"""SQL of the resolution cache and of heal records."""

from __future__ import annotations
