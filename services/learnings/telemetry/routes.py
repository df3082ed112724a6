"""The HTTP door of telemetry (learnings contract, section 5.2)."""

from __future__ import annotations

from typing import Final

from shared.api import Operation

OPERATIONS: Final[tuple[Operation, ...]] = ()
