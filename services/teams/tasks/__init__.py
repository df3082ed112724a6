"""Tasks: work that a team's members give each other."""

from __future__ import annotations
