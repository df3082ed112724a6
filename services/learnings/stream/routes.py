"""The HTTP door of the stream (learnings contract, section 6.5)."""

from __future__ import annotations

from typing import Final

from shared.api import Operation

OPERATIONS: Final[tuple[Operation, ...]] = ()
