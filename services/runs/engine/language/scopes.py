"""A place said ahead: "In the dialog, enter 'x' into 'Name' and click 'Save'"."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.runs.engine.language.models import (
    Clear,
    Click,
    Drag,
    Fill,
    Focus,
    Hover,
    Intent,
    Pairs,
    Press,
    Relation,
    Select,
    Submit,
    Target,
    Toggle,
    Upload,
)
from services.runs.engine.language.targets import read_places
from services.runs.engine.language.tokens import Phrase
from services.runs.engine.language.words import RELATIONS


@dataclass(frozen=True, slots=True)
class Scope:
    """Where the clauses that follow take place."""

    relations: tuple[Relation, ...]
    region: str | None


def read_scope(phrase: Phrase) -> Scope | None:
    """Read a clause that only says a place; None when it is something else."""
    if phrase.run(0, 1) not in RELATIONS and phrase.run(0, 2) not in RELATIONS:
        return None
    places = read_places(phrase)
    return None if places is None else Scope(*places)


def confine(intent: Intent, scope: Scope) -> Intent | None:
    """Put an intent's target into the place; None when it has no target that could carry it."""
    if not scope.relations and scope.region is None:
        return intent
    match intent:
        case Click() | Hover() | Focus() | Toggle() | Clear():
            return replace(intent, target=_placed(intent.target, scope))
        case Fill():
            pairs = _placed_pairs(intent.values, scope)
            return None if pairs is None else Fill(pairs)
        case Select() | Upload():
            if intent.field is None:
                return None
            return replace(intent, field=_placed(intent.field, scope))
        case Drag():
            return Drag(_placed(intent.source, scope), _placed(intent.destination, scope))
        case Submit():
            return Submit(_placed(intent.target or Target("", role="form"), scope))
        case Press():
            return intent
    return None


def _placed_pairs(pairs: Pairs, scope: Scope) -> Pairs | None:
    placed = tuple((value, _placed(field, scope)) for value, field in pairs if field is not None)
    return placed if len(placed) == len(pairs) else None


def _placed(target: Target, scope: Scope) -> Target:
    return replace(
        target,
        relations=target.relations + scope.relations,
        region=target.region or scope.region,
    )
