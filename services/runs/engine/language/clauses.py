"""What the readers of verbs get and share."""

from __future__ import annotations

from dataclasses import dataclass

from services.runs.engine.language.heads import role_at_end
from services.runs.engine.language.models import Intent
from services.runs.engine.language.tokens import Phrase
from services.runs.engine.language.values import read_count

_PURPOSES = (("in", "order", "to"), ("so", "that"), ("to",))
_AFTERTHOUGHTS = frozenset({"again", "now", "please", "once", "too"})


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause.

    Attributes:
        rest: What stands behind the verb.
        before: The intents of the step so far.
        verb: The verb's first word as written, lower case.
    """

    rest: Phrase
    before: tuple[Intent, ...] = ()
    verb: str = ""


def take_times(phrase: Phrase) -> tuple[Phrase, int]:
    """Take "twice" or "three times" off the end; once when nothing is said."""
    if phrase.word(-1) == "twice":
        return phrase.cut(0, len(phrase) - 1), 2
    number = read_count(phrase.word(-2)) if phrase.word(-1) in ("times", "time") else None
    if number is not None:
        return phrase.cut(0, len(phrase) - 2), number
    return phrase, 1


def without_purpose(phrase: Phrase) -> Phrase:
    """Without "to save the changes" and "again" behind a quoted name or a role noun.

    Behind a name in plain words they may belong to the name ("Add to cart", "Try again").
    """
    for position in range(1, len(phrase)):
        if phrase[position - 1].kind != "quote" and not _ends_with_role(phrase, position):
            continue
        if len(phrase) == position + 1 and phrase.word(position) in _AFTERTHOUGHTS:
            return phrase.cut(0, position)
        for words in _PURPOSES:
            behind = phrase.cut(position + len(words))
            if phrase.has(words, position) and _is_purpose(behind):
                return phrase.cut(0, position)
    return phrase


def _ends_with_role(phrase: Phrase, position: int) -> bool:
    return position > 1 and role_at_end(phrase.cut(0, position)) is not None


def _is_purpose(phrase: Phrase) -> bool:
    words = phrase.words
    return (
        bool(words)
        and words[0] not in ("the", "a", "an", "")
        and all(token.kind == "word" and not token.slotted for token in phrase)
    )
