"""Requests that carry an Ed25519 signature instead of a token (teams contract, section 2)."""
