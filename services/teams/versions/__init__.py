"""Versions: what a team's content was, and bringing it back."""

from __future__ import annotations
