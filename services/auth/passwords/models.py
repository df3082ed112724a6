"""How long passwords are."""

from __future__ import annotations

from typing import Final

SHORTEST_ON_LEARNINGS: Final = 12
"""Characters (learnings contract, section 3)."""

SHORTEST_ON_RUNS: Final = 8
"""Characters (runs contract, section 3.2)."""

LONGEST: Final = 1024
"""Characters; more would only make hashing a way to keep the service busy."""
