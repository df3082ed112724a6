"""What the commands leave with (runs contract, section 14)."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The worst counts."""

    PASSED = 0
    FAILED = 1
    BROKEN = 2
    UNUSABLE = 3
    """A spec or the configuration is wrong: nothing, or nothing more, was run."""
