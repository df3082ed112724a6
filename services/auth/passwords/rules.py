"""What makes a new password too weak (NIST SP 800-63B, section 3.1.1.2).

Beside its length only one thing counts: whether it is among the first that anybody would try. A
list of a million leaked passwords says the same few thousand words over and over, each with
another year, ending or spelling, so the words are listed (``common.txt``) and the rest is worked
out: a password is taken apart into as few *pieces* as go (a common word, also in l33t; a run along
the keyboard or the alphabet; a repeat; a year; two digits; punctuation in a row; one character),
and one of three pieces or fewer is refused.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST_PIECES: Final = 3
"""Of a password that is refused; that it repeats itself counts as one."""

LONGEST_COMMON: Final = 64
"""Characters: nothing longer is made of three pieces, unless it repeats itself."""

OWN_NAME: Final = "guildhall"
SHORTEST_WORD: Final = 4
SHORTEST_RUN: Final = 3


@dataclass(frozen=True, slots=True)
class Weakness:
    """Why a password is refused: a machine word and a sentence."""

    type: str
    sentence: str


def normal(password: str) -> str:
    """Let the same password match however a keyboard composes it (RFC 8265 section 4.2.2)."""
    return unicodedata.normalize("NFKC", password)


def weakness(password: str, shortest: int, longest: int, email: str = "") -> Weakness | None:
    """Find what is wrong with a new password, or None.

    Args:
        password: as typed; its normal form counts.
        shortest: characters.
        longest: characters.
        email: of the account, whose own name must not be what the password is made of.
    """
    text = normal(password)
    if len(text) < shortest:
        return Weakness("string_too_short", f"a password needs at least {shortest} characters")
    if len(text) > longest:
        return Weakness("string_too_long", f"a password may have at most {longest} characters")
    folded = text.casefold()
    names = _names_of(email)
    # What contains the address is only as good as what it has beside that.
    if any(name in folded and len(folded.replace(name, "")) < shortest for name in names):
        return Weakness("password_is_address", "a password must not be made of the email address")
    if is_common(folded, names):
        return Weakness(
            "password_too_common", "this password is among the first that anybody would try"
        )
    return None


def is_common(folded: str, names: frozenset[str] = frozenset()) -> bool:
    """Tell whether a case-folded password can be taken apart into too few pieces.

    Args:
        folded: the password.
        names: words that count as common here.
    """
    period = (folded + folded).find(folded, 1)
    block, end = folded[:period], min(period, len(folded))
    if end > LONGEST_COMMON:
        return False
    words = _WORDS | names
    reached = {0}
    for _ in range(MOST_PIECES - (period < len(folded))):
        reached = {
            stop
            for start in reached
            for stop in range(start + 1, end + 1)
            if _is_piece(block[start:stop], words)
        }
        if end in reached:
            return True
    return False


def _is_piece(part: str, words: frozenset[str]) -> bool:
    if len(part) == 1 or len(set(part)) == 1:
        return True
    if _YEAR.fullmatch(part) or _PUNCTUATION.fullmatch(part):
        return True
    if len(part) >= SHORTEST_RUN and part in _RUNS:
        return True
    if len(part) < SHORTEST_WORD:
        return False
    return part in words or any(part.translate(table) in words for table in _LEET)


def _names_of(email: str) -> frozenset[str]:
    address = normal(email).strip().casefold()
    local = address.partition("@")[0]
    names = {address, local, *re.split(r"[._+-]", local)}
    return frozenset(name for name in names if len(name) >= SHORTEST_WORD)


def _common_words() -> frozenset[str]:
    lines = (Path(__file__).parent / "common.txt").read_text(encoding="ascii").splitlines()
    return frozenset(word for line in lines if line[0] != "#" for word in line.split()) | {OWN_NAME}


def _runs() -> str:
    """Give every row that fingers walk along, forwards and backwards, apart from each other."""
    rows = (
        *("012345678901234567890", "abcdefghijklmnopqrstuvwxyzabc", "!@#$%^&*()_+"),
        *("qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "qwertzuiop", "yxcvbnm", "azertyuiop"),
        *("qsdfghjklm", "wxcvbn", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0"),
        *("1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "qazwsxedcrfvtgbyhnujmikolp"),
        *("zaq1xsw2cde3vfr4bgt5nhy6mju7ki8lo9p0", "zaqxswcdevfrbgtnhymjukilop"),
        *("!qaz@wsx#edc$rfv%tgb^yhn&ujm", "a1b2c3d4e5f6g7h8i9", "1a2b3c4d5e6f7g8h9i", "aabbccddee"),
        *(
            "1122334455667788990011",
            "147258369",
            "159753",
            "741852963",
            "13579",
            "24680",
            "3141592653",
        ),
    )
    return " ".join((*rows, *(row[::-1] for row in rows)))


_WORDS: Final = _common_words()
_RUNS: Final = _runs()
_YEAR: Final = re.compile(r"(19|20)?[0-9]{2}")
_PUNCTUATION: Final = re.compile(r"[ -/:-@\[-`{-~]+")
_LEET: Final = tuple(str.maketrans("@4830!$57+91", "aabeoissttg" + one) for one in "il")
