"""Something is there, or is not: the check for each kind of thing."""

from __future__ import annotations

from typing import Any

from services.runs.engine.grammar.models import Check
from services.runs.engine.language.claim_words import COUNTED_ROLES
from services.runs.engine.language.targets import parse_target
from services.runs.engine.language.things import Thing, with_place
from services.runs.engine.language.tokens import Phrase


def check(kind: str, *, negative: bool = False, **parameters: Any) -> Check:
    """A check without its empty parameters, turned around when `negative`."""
    kept = {name: value for name, value in parameters.items() if value is not None}
    return Check(kind, {**kept, "not": True} if negative else kept)


def presence(thing: Thing, place: Phrase, *, negative: bool) -> Check | None:
    """The check that a thing is there; None when the thing cannot be looked for at that place.

    Args:
        thing: What is looked for; its own "no" counts as a negation.
        place: Words about where, or empty.
        negative: The verb was negated.
    """
    if thing.negative and negative:
        return None
    negative = negative or thing.negative
    placed = with_place(thing, place)
    if placed is None:
        return None
    if placed.kind == "texts":
        return _texts(placed, negative)
    if placed.kind == "error":
        return check("error_shown", negative=negative, selector_hint=placed.place)
    if placed.kind == "count" and placed.number is not None and not negative:
        parameter, number = placed.number
        return Check("count", {"selector_hint": placed.hint, parameter: number})
    if placed.kind != "element":
        return None
    target = parse_target(placed.hint)
    if thing.negative and not target.text and target.role in COUNTED_ROLES:
        return check("count", selector_hint=placed.hint, equals=0)
    return check("element_visible", negative=negative, selector_hint=placed.hint)


def _texts(thing: Thing, negative: bool) -> Check | None:
    texts = list(thing.texts)
    if thing.joint == "nor" and not negative:
        return None
    if negative:
        if thing.joint == "both":
            return None
        return check("absent_text", any_of=texts, selector_hint=thing.place)
    if len(texts) == 1:
        return check("visible_text", contains=texts[0], selector_hint=thing.place)
    if thing.joint == "any":
        return check("visible_text", any_of=texts, selector_hint=thing.place)
    return check("visible_text", all_of=texts, selector_hint=thing.place)
