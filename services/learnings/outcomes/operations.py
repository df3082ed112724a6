"""Noting what came of work that learnings were used in."""

from __future__ import annotations
