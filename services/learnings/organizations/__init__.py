"""The projection of auth's organizations that the learnings service keeps for itself."""

from __future__ import annotations
