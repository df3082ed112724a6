"""The HTTP door of outcomes (learnings contract, section 6.3)."""

from __future__ import annotations

from typing import Final

from shared.api import Operation

OPERATIONS: Final[tuple[Operation, ...]] = ()
