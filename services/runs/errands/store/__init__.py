"""SQL of errands."""

from __future__ import annotations
