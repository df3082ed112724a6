"""Texts as they may be stored and shown."""

from __future__ import annotations

import re
from typing import Final

CUT: Final = "…"

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Give the text with what PostgreSQL or UTF-8 cannot hold replaced."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def shortened(text: str, most: int) -> str:
    """Give at most so many characters, the last of which says that there were more."""
    return text if len(text) <= most else text[: most - 1] + CUT
