"""Characters that people do not see and models read: hidden text in souls, skills and knowledge.

Sources: UAX 9 and UTR 36 on bidirectional controls, UTS 51 on emoji sequences, UTS 37 on variation
selectors of ideographs (https://www.unicode.org/reports/). Whatever an emoji or a script needs to
be written rightly is left alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from services.teams.exports.models import FindingKind

# Insides of character classes.
_BIDI: Final = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_ZERO_WIDTH: Final = r"\u00ad\u200b-\u200d\u2060-\u2064\ufeff"
_TAGS: Final = r"\U000e0000-\U000e007f"
_SELECTORS: Final = r"\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_CONTROLS: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_FILLERS: Final = r"\u034f\u115f\u1160\u17b4\u17b5\u180e\u2800\u3164\uffa0"
_PRIVATE: Final = r"\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"
# Signs before numbers in Arabic and its neighbours: format characters that are seen.
_VISIBLE_FORMAT: Final = frozenset(
    map(chr, (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD))
)

# What selectors for emoji or text style may follow, in ranges around the few of UTS 51.
_EMOJI: Final = (
    r"\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf"
    r"\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297-\u3299\U0001f000-\U0001faff"
)
_IDEOGRAPHS: Final = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
_MONGOLIAN: Final = r"\u1820-\u18aa"
# Scripts whose letters are joined, or kept apart, by the two joiners.
_JOINING: Final = r"\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u180a\u1810-\u18af"

_NEEDED_JOINER: Final = (
    rf"(?<=[{_EMOJI}])\u200d(?=[{_EMOJI}])|(?<=[{_EMOJI}]\ufe0f)\u200d(?=[{_EMOJI}])"
    rf"|(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])"
)
_NEEDED_SELECTOR: Final = (
    rf"(?<=[{_EMOJI}])[\ufe0e\ufe0f]|(?<=[#*0-9])\ufe0f(?=\u20e3)"
    rf"|(?<=[{_MONGOLIAN}])[\u180b-\u180d\u180f]"
    rf"|(?<=[{_IDEOGRAPHS}])[\ufe00-\ufe02\U000e0100-\U000e01ef]"
)
# The flags of England, Scotland and Wales, the only emoji with tags.
_FLAG: Final = (
    "\U0001f3f4(?:"
    + "|".join(
        "".join(chr(0xE0000 + ord(letter)) for letter in region)
        for region in ("gbeng", "gbsct", "gbwls")
    )
    + ")\U000e007f"
)
# Later versions of Unicode than this Python's put emoji and ideographs into these.
_LATER: Final = (range(0x1F000, 0x1FB00), range(0x20000, 0x3FFFE))

_RUNS: Final = {
    FindingKind.BIDI_CONTROL: f"[{_BIDI}]+",
    FindingKind.ZERO_WIDTH: f"(?:(?!{_NEEDED_JOINER})[{_ZERO_WIDTH}])+",
    FindingKind.TAG_CHARACTER: f"[{_TAGS}]+",
    FindingKind.VARIATION_SELECTOR: f"(?:(?!{_NEEDED_SELECTOR})[{_SELECTORS}])+",
    FindingKind.CONTROL_CHARACTER: f"[{_CONTROLS}]+",
    FindingKind.INVISIBLE_FILLER: f"[{_FILLERS}]+",
    FindingKind.PRIVATE_USE: f"[{_PRIVATE}]+",
}
_KNOWN: Final = re.compile(
    "|".join([_FLAG, *(f"(?P<{kind.name}>{run})" for kind, run in _RUNS.items())])
)
_CLASSES: Final = f"{_BIDI}{_ZERO_WIDTH}{_TAGS}{_SELECTORS}{_CONTROLS}{_FILLERS}{_PRIVATE}"
_SEARCHED: Final = re.compile(f"[{_CLASSES}]")
_BEGINS: Final = re.compile(f"[{_CLASSES}{_FLAG[0]}]")


def hidden(text: str) -> Iterator[tuple[FindingKind, int, int]]:
    """Find what is hidden in a text: the kind, where it begins and where it ends.

    Characters of one kind that follow each other are mostly one. The time grows with the length of
    the text alone.
    """
    yield from _known(text)
    if text.isascii():
        return
    rare = {letter: kind for letter in set(text) if (kind := _rare(letter))}
    if rare:
        for at, letter in enumerate(text):
            if letter in rare:
                yield rare[letter], at, at + 1


def _known(text: str) -> Iterator[tuple[FindingKind, int, int]]:
    """Find the kinds that are told by ranges."""
    at = 0
    # One class finds a place twenty times faster than all alternatives would.
    while found := _BEGINS.search(text, at):
        match = _KNOWN.match(text, found.start())
        if match is not None and match.lastgroup is not None:
            yield FindingKind[match.lastgroup], match.start(), match.end()
        at = found.end() if match is None else match.end()


def _rare(letter: str) -> FindingKind | None:
    """Name the kind of what only the character database knows."""
    category = unicodedata.category(letter)
    if category in ("Cf", "Zl", "Zp"):
        seen = letter in _VISIBLE_FORMAT or _SEARCHED.match(letter)
        return None if seen else FindingKind.FORMAT_CHARACTER
    if category == "Cn":
        later = _SEARCHED.match(letter) or any(ord(letter) in span for span in _LATER)
        return None if later else FindingKind.UNASSIGNED
    return None
