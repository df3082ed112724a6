"""Points of a candidate, as a table (contract section 5.3).

The name counts once, by its best signal; bonuses add. A candidate whose name gives nothing is no
candidate, whatever its bonuses, so an unrelated element never changes a choice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from services.runs.engine.language.models import Target
from services.runs.engine.resolver import roles, words
from services.runs.engine.resolver.models import Candidate, Scored, Wanted

EXACT: Final = 100
EQUAL: Final = 95
SYNONYM: Final = 85
PREFIX: Final = 75
CONTAINED: Final = 65
OVERLAP: Final = 60
SIMILAR: Final = 50
IDENTIFIER: Final = 45

TOP_DIALOG: Final = 15
SAME_FORM: Final = 8
IN_VIEW: Final = 5
PRIMARY: Final = 3

_NONE: Final = (0, "")
_SPOKEN: Final = ("labelledby", "aria", "label", "placeholder", "title", "alt", "content")
_WRITTEN: Final = ("test_id", "id", "name")
_FIELDS: Final = frozenset({"textbox", "searchbox", "spinbutton", "combobox", "listbox"})


@dataclass(frozen=True, slots=True)
class Wording:
    """What is looked for, in all the forms that are compared."""

    plain: str
    words: str
    packed: str
    variants: frozenset[str]
    hints: re.Pattern[str] | None
    tokens: frozenset[str]
    parts: frozenset[str]
    is_literal: bool
    is_claim: bool

    @classmethod
    def of(cls, target: Target, verb: str) -> Wording:
        """Prepare a target's text. A quoted one is literal, and an expectation is not stretched."""
        text = target.text
        return cls(
            plain=words.plain(text),
            words=words.words(text),
            packed=words.packed(text),
            variants=words.variants(text),
            hints=words.hints(text),
            tokens=words.tokens(text),
            parts=words.parts(text),
            is_literal=target.quoted,
            is_claim=target.quoted and verb in ("see", "wait"),
        )


def name_points(wording: Wording, text: str) -> tuple[int, str]:
    """Give the best signal between what is wanted and one text of a page."""
    if not text:
        return _NONE
    spoken = words.words(text)
    if spoken == wording.words or spoken.replace(" ", "") == wording.packed:
        if words.plain(text) == wording.plain:
            return EXACT, "exact name"
        return (EQUAL, "equal name") if spoken else _NONE
    if not wording.words or not spoken:
        return _NONE
    if not wording.is_claim and spoken in wording.variants:
        return SYNONYM, "synonym"
    if spoken.startswith(f"{wording.words} "):
        return PREFIX, "prefix"
    if wording.words in spoken and f" {wording.words} " in f" {spoken} ":
        return CONTAINED, "contained"
    return _NONE if wording.is_literal else _fuzzy_points(wording, text, spoken)


def _fuzzy_points(wording: Wording, text: str, spoken: str) -> tuple[int, str]:
    share = 0
    if wording.hints is None or wording.hints.search(spoken):
        share = round(OVERLAP * words.overlap(wording.tokens, words.tokens(text)))
    if share < SIMILAR and words.is_similar(wording.packed, spoken.replace(" ", "")):
        return SIMILAR, "similar"
    return share, "words in common"


def score(candidate: Candidate, wanted: Wanted, wording: Wording, bonus: int = 0) -> Scored | None:
    """Give a candidate's points, or None where its name gives none.

    Args:
        candidate: of the page.
        wanted: by the step.
        wording: of ``wanted.target``.
    """
    target = wanted.target
    if target.text:
        best, signal = _best(candidate, wording)
    elif roles.is_meant(candidate, wanted.verb, target.role):
        best, signal = EXACT, "any of its role"
    else:
        best, signal = 0, ""
    if not best:
        return None
    signals = [(signal, best)]
    fit = roles.points(candidate, wanted.verb, target.role)
    if fit:
        signals.append(("role", fit))
    if candidate.in_top_dialog:
        signals.append(("top dialog", TOP_DIALOG))
    if wanted.last_form and candidate.form == wanted.last_form:
        signals.append(("same form", SAME_FORM))
    if candidate.in_viewport:
        signals.append(("in view", IN_VIEW))
    if candidate.primary:
        signals.append(("primary", PRIMARY))
    shown = tuple(f"{name} {points:+d}" for name, points in signals)
    return Scored(candidate, sum(points for _, points in signals), shown, best + fit)


def _best(candidate: Candidate, wording: Wording) -> tuple[int, str]:
    best, signal = name_points(wording, candidate.name)
    sources = candidate.name_sources
    compared = {candidate.name}
    for source in _SPOKEN:
        if best >= EXACT:
            return best, signal
        text = sources.get(source)
        if text and text not in compared:
            compared.add(text)
            found, what = name_points(wording, text)
            if found > best:
                best, signal = found, f"{what} ({source})"
    if candidate.role in _FIELDS and not candidate.name and candidate.neighbour:
        found, _ = name_points(wording, candidate.neighbour)
        if min(found, CONTAINED) > best:
            best, signal = min(found, CONTAINED), "text before it"
    if best < IDENTIFIER and not wording.is_claim and candidate.role != "text":
        found = _identifier(candidate, wording)
        if found > best:
            best, signal = found, "identifier"
    return best, signal


def _identifier(candidate: Candidate, wording: Wording) -> int:
    wanted = wording.parts
    if not wanted:
        return 0
    best = 0.0
    for source in _WRITTEN:
        text = candidate.name_sources.get(source)
        if not text or (wording.hints is not None and not wording.hints.search(text.lower())):
            continue
        found = words.parts(text)
        share = 1.0 if found == wanted else 0.0
        if not share and not wording.is_literal:
            share = words.overlap(wanted, found)
        best = max(best, share)
    return round(IDENTIFIER * best)
