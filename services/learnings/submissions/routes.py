"""The HTTP door of submissions (learnings contract, section 4.2)."""

from __future__ import annotations

from typing import Final

from shared.api import Operation

OPERATIONS: Final[tuple[Operation, ...]] = ()
