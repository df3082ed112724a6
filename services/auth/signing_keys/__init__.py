"""The Ed25519 keys that sign access tokens, and the set that verifies them."""

from __future__ import annotations
