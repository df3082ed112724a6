"""Waiting for conditions."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], object], limit: float = 30.0) -> None:
    """Return as soon as the condition holds; fail after ``limit`` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)
