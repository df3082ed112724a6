"""The HTTP door of proprietary packages (learnings contract, section 4)."""

from __future__ import annotations

from typing import Final

from shared.api import Operation

OPERATIONS: Final[tuple[Operation, ...]] = ()
