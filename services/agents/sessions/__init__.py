"""Sessions: conversations with agents, and the one way in which their state changes."""

from __future__ import annotations
