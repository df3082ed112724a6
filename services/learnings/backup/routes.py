"""The HTTP door of backups (learnings contract, section 4.3)."""

from __future__ import annotations

from typing import Final

from shared.api import Operation

OPERATIONS: Final[tuple[Operation, ...]] = ()
