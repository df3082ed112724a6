"""Elements as people name them: "the second 'Delete' button in the row containing 'Bob'".

`read_target` is strict: a word it does not know how to take gives None. `parse_target` never fails:
what cannot be read in parts is a name in plain words.
"""

from __future__ import annotations

from dataclasses import replace

from services.runs.engine.language.heads import read_head, strip_determiners
from services.runs.engine.language.models import Relation, Target
from services.runs.engine.language.tokens import Phrase, tokenize
from services.runs.engine.language.words import (
    DETERMINERS,
    NO_PLACES,
    ORDINALS,
    PAGES,
    REGIONS,
    RELATIONS,
    Words,
)

_CONTAINING: tuple[Words, ...] = (
    ("containing",),
    ("that", "contains"),
    ("which", "contains"),
    ("that", "has"),
    ("with",),
    ("for",),
    ("of",),
)
_LONGEST_OWNER = 12
_HOLDERS = frozenset({"row", "card", "listitem"})
_OWNERS = _HOLDERS | {"dialog", "table", "list", "form", "section", "menu", "cell"}


def parse_target(text: str) -> Target:
    """Read any description of an element, also a selector hint in plain words.

    Args:
        text: A template. A text that cannot be read in parts is taken as a name in plain words.
    """
    phrase = tokenize(text)
    target = read_target(phrase, hint=True) if phrase is not None else None
    return target or Target(" ".join(text.split()))


def read_target(phrase: Phrase, *, hint: bool = False) -> Target | None:
    """Read a description of an element; None when any part of it is not understood.

    Args:
        phrase: The description.
        hint: It is a selector hint, so a place alone ("the header") is a description, too.
    """
    region = REGIONS.get(strip_determiners(phrase).words) if hint else None
    if region not in (None, "dialog"):
        return Target("", region=region)
    if hint and _relation_at(phrase, 0):
        head: Target | None = Target("")
        behind = phrase
    else:
        end = _next_place(phrase, 1)
        head, behind = read_head(phrase.cut(0, end)), phrase.cut(end)
    if head is None:
        return None
    held, behind = _held(head, behind)
    places = read_places(behind)
    if places is None:
        return None
    relations, place = places
    return replace(head, relations=held + relations, region=place or head.region)


def read_places(phrase: Phrase) -> tuple[tuple[Relation, ...], str | None] | None:
    """Read "in the header", "in the row containing 'Bob' in the 'Users' table" and the like.

    Returns:
        The relations, nearest first, and the region; None when something is left unread.
    """
    relations: list[Relation] = []
    region: str | None = None
    while len(phrase):
        found = _relation_at(phrase, 0)
        if found is None:
            return None
        length, kind = found
        end = _next_place(phrase, length + 1)
        here = phrase.cut(length, end)
        phrase = phrase.cut(end)
        words = strip_determiners(here).words
        if kind == "in" and words in REGIONS:
            if region is not None:
                return None
            region = REGIONS[words]
            continue
        if not here[-1].literal and (
            words[-1:] == () or words[-1] in NO_PLACES or words[0] == "new"
        ):
            return None
        if kind == "in" and " ".join(words) in PAGES:
            continue
        target = read_head(here)
        if target is None:
            return None
        held, phrase = _held(target, phrase)
        if target.role == "page":
            continue
        relation = _relation(kind, target, held)
        if relation is None:
            return None
        relations.append(relation)
    return tuple(relations), region


def _relation(kind: str, target: Target, held: tuple[Relation, ...]) -> Relation | None:
    """One relation; a row that is known by what it holds becomes kind `row`."""
    if target.role == "row" and kind in ("in", "row"):
        if held:
            return None if target.text or target.ordinal else held[0]
        if target.text and not target.ordinal:
            return Relation("row", Target(target.text, target.quoted))
        return Relation("row", target) if target.ordinal else None
    if held:
        inner = held[0].target
        if target.text or target.ordinal or inner.role:
            return None
        target = Target(inner.text, inner.quoted, target.role)
    return Relation(kind, target)


def _held(head: Target, behind: Phrase) -> tuple[tuple[Relation, ...], Phrase]:
    """What a row, card or dialog is said to hold, and the phrase behind it."""
    for words in _CONTAINING:
        if not behind.has(words) or len(behind) == len(words):
            continue
        end = _next_place(behind, len(words) + 1)
        inner = read_head(behind.cut(len(words), end))
        if inner is None:
            break
        if head.role in _HOLDERS and words != ("of",):
            return (Relation("row", inner),), behind.cut(end)
        if words == ("for",) and head.role is not None:
            return (Relation("row", inner),), behind.cut(end)
        if words == ("of",) and inner.role in _OWNERS:
            relation = _relation("row" if inner.role == "row" else "in", inner, ())
            if relation is not None:
                return (relation,), behind.cut(end)
    return (), behind


def _next_place(phrase: Phrase, start: int) -> int:
    """The position at or behind `start` where words about a place begin, else the end."""
    for position in range(start, len(phrase)):
        if _relation_at(phrase, position) or _containing_at(phrase, position):
            return position
    return len(phrase)


def _containing_at(phrase: Phrase, position: int) -> bool:
    """Whether "containing ..." begins here: behind a holder's noun, or before a quoted text."""
    for words in _CONTAINING:
        if not phrase.has(words, position):
            continue
        behind = position + len(words)
        if behind >= len(phrase):
            return False
        if words == ("of",):
            return _begins_noun(phrase, behind) and _owner_ahead(phrase, behind)
        if words == ("with",):
            return phrase.word(position - 1) in ("row", "card", "item")
        if words == ("for",):
            return phrase.word(position - 1) == "row" or (
                phrase[behind].literal and phrase[position - 1].kind == "word"
            )
        return True
    return False


def _owner_ahead(phrase: Phrase, position: int) -> bool:
    """Whether a row, table or the like ends the part behind "of"."""
    end = min(_next_relation(phrase, position + 1), position + _LONGEST_OWNER)
    head = read_head(phrase.cut(position, end))
    return head is not None and head.role in _OWNERS


def _next_relation(phrase: Phrase, start: int) -> int:
    for position in range(start, min(len(phrase), start + _LONGEST_OWNER)):
        if _relation_at(phrase, position):
            return position
    return len(phrase)


def _relation_at(phrase: Phrase, position: int) -> tuple[int, str] | None:
    """The relation that begins here, as number of words and kind.

    Behind a name in plain words, "in" and "on" count only before an article, a quote, a number or
    a place: "Sign in with Google" is a name.
    """
    for words in (phrase.run(position, 2), phrase.run(position, 1)):
        kind = RELATIONS.get(words)
        behind = position + len(words)
        if kind is None or behind >= len(phrase):
            continue
        quoted = any(token.kind == "quote" for token in phrase.tokens[:position])
        if quoted or len(words) > 1 or _begins_noun(phrase, behind):
            return len(words), kind
    return None


def _begins_noun(phrase: Phrase, position: int) -> bool:
    token = phrase[position]
    return (
        token.literal
        or token.word in DETERMINERS
        or token.word in ORDINALS
        or token.word[:1].isdigit()
        or token.word in ("row", "column")
        or (len(phrase) - position <= 3 and phrase.words[position:] in REGIONS)
    )
