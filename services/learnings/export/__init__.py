"""An organization's learnings as JSON lines."""

from __future__ import annotations
