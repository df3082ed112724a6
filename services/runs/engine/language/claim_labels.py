"""Claims about the text beside a label: `the order total is "$51.50"`.

`"Total" is "$51.50"` is not read: it may speak of a field, a heading or a text.
"""

from __future__ import annotations

from services.runs.engine.grammar.models import Check
from services.runs.engine.language.claim_presence import check
from services.runs.engine.language.models import Target
from services.runs.engine.language.sentences import Sentence
from services.runs.engine.language.things import Thing
from services.runs.engine.language.values import is_literal

_LONGEST_LABEL = 4
_OWNING = frozenset({"of", "for", "with", "by", "from", "at"})
_QUOTE = '"'

BESIDE = "the text next to "
"""How a hint begins that means what stands beside a label, as in a capture."""


def label_is(sentence: Sentence, subject: Thing) -> Check | None:
    """What stands beside the label is the text; None for a subject that is no plain label."""
    rest = sentence.rest
    if len(rest) != 1 or not is_literal(rest[0]) or not rest[0].text.strip():
        return None
    if len(sentence.place) or subject.negative or subject.place is not None:
        return None
    label = _label(subject)
    if label is None or _QUOTE in label:
        return None
    hint = f"{BESIDE}{_QUOTE}{label}{_QUOTE}"
    return check(
        "visible_text", negative=sentence.negative, selector_hint=hint, equals=rest[0].text
    )


def _label(subject: Thing) -> str | None:
    target = subject.target
    if target is None or target != Target(target.text, target.quoted):
        return None
    words = target.text.lower().split()
    if target.quoted or len(words) > _LONGEST_LABEL or _OWNING.intersection(words):
        return None
    return target.text
