"""Credentials: remembered for seconds, asked about at auth, evicted by its events.

memory: what is remembered. auth_client: what is asked. signing_keys: the public keys of tokens.
eviction: the events.
"""

from __future__ import annotations
