"""Sharing: who else may look at a team, and how it is cloned."""

from __future__ import annotations
