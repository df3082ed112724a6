"""The head of a description: name, role noun and ordinal, without places."""

from __future__ import annotations

from services.runs.engine.language.models import Target
from services.runs.engine.language.tokens import Phrase
from services.runs.engine.language.words import (
    CHOOSING,
    CLAIMING,
    DETERMINERS,
    FORBIDDEN,
    LONGEST_ROLE_NOUN,
    NAMINGS,
    NO_BEGINNING,
    NO_ORDINAL_BEFORE,
    NUMBERS,
    ORDINALS,
    PLAIN_NOUNS,
    REGIONS,
    ROLE_NOUNS,
    SIGNS,
    VAGUE,
)

_LONGEST_NAME = 10
_STOP_WORDS = frozenset({"the", "The", "a", "an", "my", "your"})
_NAMES = frozenset({"label", "name", "title", "called", "named", "labelled", "labeled", "titled"})
_ANNOUNCED = ("text", "label", "name", "title")


def strip_determiners(phrase: Phrase) -> Phrase:
    """Without articles and the like at the beginning."""
    start = 0
    while start < len(phrase) and phrase.word(start) in DETERMINERS:
        start += 1
    return phrase.cut(start)


def ordinal_of(word: str) -> int | None:
    """1-based position that a word says: "second", "2nd", "last"; None when it says none."""
    if word in ORDINALS:
        return ORDINALS[word]
    digits = word[:-2]
    if word.endswith(("st", "nd", "rd", "th")) and digits.isascii() and digits.isdigit():
        return int(digits) if 0 < len(digits) <= 4 and int(digits) else None
    return None


def number_of(word: str) -> int | None:
    """The whole number that a word says: "3", "three"; None when it says none."""
    if word.isascii() and word.isdigit() and len(word) <= 9:
        return int(word)
    return NUMBERS.get(word)


def read_head(phrase: Phrase) -> Target | None:
    """Read a name with role noun and ordinal; None when a word is left over or forbidden."""
    phrase = strip_determiners(phrase)
    ordinal = ordinal_of(phrase.word(0))
    if ordinal is not None and len(phrase) > 1 and not _is_name_behind(phrase.word(1)):
        phrase = phrase.cut(1)
    else:
        ordinal = None
    if not len(phrase):
        return None
    numbered = _numbered(phrase) if ordinal is None else None
    if numbered is not None:
        phrase, ordinal = numbered
    literals = [index for index, token in enumerate(phrase) if token.literal]
    if len(literals) == 1:
        head = _named(phrase, literals[0], ordinal)
        if head is not None or phrase[literals[0]].kind == "quote":
            return head
    return None if any(token.kind == "quote" for token in phrase) else _plain(phrase, ordinal)


def _is_name_behind(word: str) -> bool:
    """Whether an ordinal before this word belongs to the name: "first name", "last 7 days"."""
    return word in NO_ORDINAL_BEFORE or number_of(word) is not None


def _numbered(phrase: Phrase) -> tuple[Phrase, int] | None:
    """`row 2`, `tab number 3`, `'Delete' button #2`: the phrase without its number."""
    number = number_of(phrase.word(-1).removeprefix("#"))
    rest = phrase.cut(0, len(phrase) - 1)
    if rest.word(-1) in ("number", "no", "nr"):
        rest = rest.cut(0, len(rest) - 1)
    if not number or role_at_end(rest) is None:
        return None
    return rest, number


def role_at_end(phrase: Phrase) -> tuple[int, str] | None:
    """The role noun that ends a phrase, as number of words and role; the longest wins."""
    for length in range(min(LONGEST_ROLE_NOUN, len(phrase)), 0, -1):
        role = ROLE_NOUNS.get(phrase.words[-length:])
        if role is not None:
            return length, role
    return None


def role_at_start(phrase: Phrase) -> tuple[int, str] | None:
    """The role noun that begins a phrase, as number of words and role; the longest wins."""
    for length in range(min(LONGEST_ROLE_NOUN, len(phrase)), 0, -1):
        role = ROLE_NOUNS.get(phrase.run(0, length))
        if role is not None:
            return length, role
    return None


def _named(phrase: Phrase, index: int, ordinal: int | None) -> Target | None:
    """A head around one literal name: only role nouns, plain nouns and namings may stand by it."""
    name = phrase[index].text.strip()
    before = _without_naming(phrase.cut(0, index))
    contained = len(before) < index and phrase.word(index - 1) not in _NAMES
    before = strip_determiners(before)
    after = phrase.cut(index + 1)
    region = REGIONS.get(before.run(0, 1)) if len(before) == 2 else None
    if region is not None:
        before = before.cut(1)
    first, second = _noun(before), _noun(after)
    if not name or first is None or second is None or (first and second):
        return None
    role = (first or second).strip() or None
    if (role == "dialog" and contained) or (role is None and first and phrase[index].slotted):
        # A text in a dialog is not its name; "order ${id}" may be the name as a whole.
        return None
    return Target(name, True, role, ordinal, (), region)


def _without_naming(before: Phrase) -> Phrase:
    for naming in NAMINGS:
        if len(before) >= len(naming) and before.words[-len(naming) :] == naming:
            return before.cut(0, len(before) - len(naming))
    if len(before) > 1 and before.word(-1) in _ANNOUNCED and role_at_start(before) is None:
        return before.cut(0, len(before) - 1)
    return before


def _noun(phrase: Phrase) -> str | None:
    """The role of a noun beside a name; "" for none, " " for a plain noun, None when unknown."""
    if not len(phrase):
        return ""
    role = role_at_end(phrase)
    if role is not None and role[0] == len(phrase):
        return role[1]
    if len(phrase) == 1 and phrase.word(0).removesuffix("s") in PLAIN_NOUNS:
        return " "
    return None


def _plain(phrase: Phrase, ordinal: int | None) -> Target | None:
    """A head in plain words."""
    region, role = None, None
    found = role_at_end(phrase)
    if found is not None:
        length, role = found
        rest = phrase.cut(0, len(phrase) - length)
    else:
        found = role_at_start(phrase)
        named = found is not None and phrase[found[0]].text[:1].isupper()
        rest = phrase.cut(found[0]) if found is not None and named else phrase
        role = found[1] if found is not None and named else None
    if role is not None and rest.words in REGIONS and role != "page":
        region, rest = REGIONS[rest.words], rest.cut(len(rest))
    if role is None and rest.words in REGIONS:
        role = "dialog" if REGIONS[rest.words] == "dialog" else None
    text = _name(rest)
    if role is not None and _several(phrase, rest):
        return None
    if text is None or (not text and role is None):
        return None
    return Target(text, False, role, ordinal, (), region)


def _several(phrase: Phrase, name: Phrase) -> bool:
    """Whether more than one element is meant: `3 rows`, `the Save and Cancel buttons`."""
    plural = phrase.word(-1).endswith("s") and phrase.word(-1) != "address"
    return number_of(name.word(0)) is not None or (plural and "and" in name.words)


def _name(phrase: Phrase) -> str | None:
    """A name in plain words without stop words; None when it holds what no name may hold."""
    words = phrase.words
    if len(words) > _LONGEST_NAME or any(token.kind == "mark" for token in phrase):
        return None
    if words and (words[0] in NO_BEGINNING or phrase[-1].text in ("and", "to", "the", "a")):
        return None
    if any(word in CLAIMING for word in words[1:]):
        return None
    if any(word in FORBIDDEN or word in SIGNS for word in words) or (
        len(words) == 1 and words[0] in VAGUE
    ):
        return None
    if any(token.text in CHOOSING for token in phrase):
        return None
    return " ".join(token.text for token in phrase if token.text not in _STOP_WORDS)
