"""How each platform wants its files."""

from __future__ import annotations
