"""How many files this process may have open: a socket takes two of them, one for each leg."""

from __future__ import annotations

import resource
from typing import Final

RESERVE: Final = 1000
"""Files kept for everything else, such as other callers and the connections to services; a quarter
where there are few."""


def allow() -> int:
    """Raise the limit as far as the process may by itself, and give it; 0 where there is none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # macOS has a limit of its own below "unlimited"
        hard = soft
    return 0 if hard == resource.RLIM_INFINITY else hard


def reserve(files: int) -> int:
    """Give how many of so many files are kept for everything else."""
    return min(RESERVE, files // 4)


def room(files: int) -> int:
    """Give how many sockets fit into so many files."""
    return max(1, (files - reserve(files)) // 2)
