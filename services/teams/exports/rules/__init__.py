"""What a bundle holds and what is suspicious in a team: pure functions."""

from __future__ import annotations
