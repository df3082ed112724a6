"""What jobs of a browser that are no runs have in common."""

from __future__ import annotations
