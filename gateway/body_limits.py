"""How large a body may be: numbers of the rows of ``gateway.route_table``."""

from __future__ import annotations

from typing import Final

DEFAULT_BODY: Final = 2_000_000
SYNC_BODY: Final = 16_000_000
"""Bytes; 500 entries of the longest texts that clients send, twice (learnings contract, 6.2)."""

TEAMS_BODY: Final = 256_000
"""Bytes; teams contract, section 2."""

RUNS_BODY: Final = 2 * 2**20
CHECKS_BODY: Final = 15_000_000
"""Bytes; the latter for a picture of 10 MiB in base64 (runs contract, section 16)."""

FILE_BODY: Final = 5 * 2**30
"""Bytes: the most that one upload to an object store may have; the service sets its own limits."""
