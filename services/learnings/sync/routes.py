"""The HTTP door of pushes (learnings contract, section 6.2)."""

from __future__ import annotations

from typing import Final

from shared.api import Operation

OPERATIONS: Final[tuple[Operation, ...]] = ()
