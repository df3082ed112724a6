"""Replays: a signed request that changes something is applied once (teams contract, 2.1)."""

from __future__ import annotations
