"""Whether JSON that an agent's author wrote is small enough to be sent on."""

from __future__ import annotations

import json
from typing import Any, Final

DEEPEST: Final = 32


def compact(value: Any) -> str:
    """Write JSON without blanks.

    Raises:
        ValueError: it is too deep, or holds what JSON cannot.
    """
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            break
    else:
        raise ValueError("too deep")
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except TypeError:
        raise ValueError("not JSON") from None


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []
