"""Texts for a terminal and for the logs of CI systems, whatever a tested page has written. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

LONGEST: Final = 400
"""Characters of one text on a line."""

# Controls, and what turns the direction of writing or cannot be seen.
_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_SPACES: Final = re.compile(r"\s+")


def plain(text: str, most: int = LONGEST) -> str:
    """Give a text on one line, printable, cut, and with nothing that CI systems take for an order.

    GitHub's runners obey ``##[…]`` anywhere and ``::…::`` where a line begins.
    """
    line = _HIDDEN.sub("·", _SPACES.sub(" ", text)).strip()
    line = line.replace("##[", "# #[")
    if line.startswith("::"):
        line = "·" + line
    return line if len(line) <= most else line[: most - 1] + "…"


def is_web_address(text: str) -> bool:
    """Tell whether a text is the address of a web site."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def seconds(milliseconds: int) -> str:
    """Write a duration for people."""
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    minutes, rest = divmod(round(milliseconds / 1000), 60)
    return f"{minutes} min {rest} s"
