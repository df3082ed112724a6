"""How many files there are for sockets: each takes one."""

from __future__ import annotations

import resource
import sys
from typing import Final

RESERVE: Final = 500
"""Files kept for everything else, such as other callers and the database; at most a quarter."""


def room() -> int:
    """Raise the limit as far as the process may by itself, and say how many sockets fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # macOS has a limit of its own below "unlimited"
        hard = soft
    if hard == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(1, hard - min(RESERVE, hard // 4))
