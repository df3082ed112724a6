"""What people wrote into a team, made fit to be looked at and to stand in an address."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]*")
_DIGITS: Final = 16

# Everything that is not drawn, or that turns round what stands beside it. What only joins letters
# (U+200C, U+200D) or picks a picture (U+FE0E, U+FE0F) stays where it has something to work on.
_HIDDEN: Final = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b\u200e\u200f\u2028-\u202f\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb"
    "\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
    "|(?:^|(?<=[\u0000-\u00a0\u200c\u200d]))[\u200c\u200d\ufe0e\ufe0f]"
)


def seen(text: str) -> str:
    """Show what hides in a text by its number: ``⟨U+202E⟩``.

    Line breaks and tabs stay. The answer is plain text, yet to be escaped.
    """
    lines = text.replace("\r\n", "\n")
    if lines.isascii() and lines.isprintable():
        return lines
    return _HIDDEN.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", lines)


def key_of(name: str) -> str:
    """Give the word that stands for a member or skill in an address.

    Plain names stand for themselves; others, which a path cannot carry unharmed, as a digest.
    """
    if _PLAIN.fullmatch(name):
        return name
    return "~" + sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def written(text: str) -> str:
    """Give what was typed into a form with the line breaks that teams have everywhere else."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def unchanged(before: str, typed: str) -> bool:
    """Tell whether a text came back from a form as it was, but for its line breaks."""
    return written(before) == written(typed)
