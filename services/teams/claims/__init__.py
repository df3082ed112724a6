"""Claims: how a team that was made by an unlinked machine comes to its owner."""

from __future__ import annotations
