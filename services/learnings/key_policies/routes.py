"""The HTTP door of the policies of keys (learnings contract, section 6.1)."""

from __future__ import annotations

from typing import Final

from shared.api import Operation

OPERATIONS: Final[tuple[Operation, ...]] = ()
