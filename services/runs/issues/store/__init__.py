"""SQL of issues."""

from __future__ import annotations
