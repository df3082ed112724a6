"""Where a target lies: regions of the page, and relations to other elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.runs.engine.language.models import Relation, Target
from services.runs.engine.resolver import scoring, words
from services.runs.engine.resolver.models import ACCEPT, Candidate, Wanted
from services.runs.engine.resolver.scoring import Wording

NEAREST: Final = 12
"""Points of the one that is nearest: enough to lead over others of the same name."""

MOST_ANCHORS: Final = 5

_REGIONS: Final[Mapping[str, str]] = {
    "header": "header",
    "footer": "footer",
    "sidebar": "sidebar",
    "navigation": "nav",
    "main": "main",
}
_BESIDE: Final = 300.0
_CLOSE: Final = 80.0
"""Pixels to the side, and up or down, within which one thing is next to another."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What is left of the candidates.

    Attributes:
        candidates: that lie where they should.
        bonus: points by reference, for the nearest.
        missing: the words of a place that the page does not have; else empty.
    """

    candidates: tuple[Candidate, ...]
    bonus: Mapping[tuple[int, str], int] = field(default_factory=dict)
    missing: str = ""


def key(candidate: Candidate) -> tuple[int, str]:
    """Name a candidate within its reading."""
    return candidate.frame, candidate.ref


def heads(candidates: Sequence[Candidate]) -> frozenset[tuple[int, str]]:
    """Give the rows that only head a table: nobody counts those."""
    heading = {(each.frame, each.row) for each in candidates if each.role == "columnheader"}
    holding = {(each.frame, each.row) for each in candidates if each.role in ("cell", "gridcell")}
    return frozenset(heading - holding)


def place(candidates: Sequence[Candidate], target: Target, likely: Sequence[Candidate]) -> Placed:
    """Keep those of ``likely`` that lie where the target's words say.

    Args:
        candidates: all that can be seen, among them what a relation names.
        target: whose region and relations count.
        likely: those that could be meant by their name.
    """
    left = tuple(likely)
    bonus: dict[tuple[int, str], int] = {}
    if target.region:
        left = tuple(each for each in left if _is_in_region(each, target.region))
        known = any(_is_in_region(each, target.region) for each in candidates)
        if not known:
            return Placed((), missing=target.region)
    for relation in target.relations:
        found = _related(candidates, relation, left)
        if found is None:
            return Placed((), missing=relation.target.text or relation.target.role or "place")
        left, nearest = found
        if nearest is not None:
            bonus[key(nearest)] = NEAREST
    return Placed(left, bonus)


def _is_in_region(candidate: Candidate, region: str) -> bool:
    if region == "dialog":
        return candidate.in_top_dialog
    return _REGIONS.get(region, region) in candidate.landmark.split()


def _related(
    candidates: Sequence[Candidate], relation: Relation, left: tuple[Candidate, ...]
) -> tuple[tuple[Candidate, ...], Candidate | None] | None:
    """Give those that are related and the nearest of them; None where there is no such place."""
    if relation.kind == "row":
        found = _in_rows(candidates, relation.target, left)
        return None if found is None else (found, None)
    if relation.kind in ("in", "under"):
        inside = _inside(candidates, relation.target, left)
        if inside:
            return inside, None
    anchors = _anchors(candidates, relation.target)
    if not anchors:
        if relation.kind == "in":
            found = _in_rows(candidates, relation.target, left)
            return None if found is None else (found, None)
        return None
    kind = "below" if relation.kind == "under" else relation.kind
    near = [
        (min(gaps), each)
        for each in left
        if (gaps := [g for a in anchors if (g := _gap(a, each, kind)) is not None])
    ]
    near.sort(key=lambda pair: (pair[0], pair[1].order))
    nearest = None
    if near and kind != "in" and (len(near) == 1 or near[0][0] < near[1][0]):
        nearest = near[0][1]
    return tuple(each for _, each in near), nearest


def _in_rows(
    candidates: Sequence[Candidate], target: Target, left: tuple[Candidate, ...]
) -> tuple[Candidate, ...] | None:
    wanted = f" {words.words(target.text)} "

    def holds(candidate: Candidate) -> bool:
        return bool(candidate.row) and wanted in f" {words.words(candidate.row_text)} "

    if target.ordinal is not None and not target.text:
        rows = list(
            dict.fromkeys((c.frame, c.row) for c in candidates if c.row and c.role != "row")
        )
        heading = heads(candidates)
        rows = [row for row in rows if row not in heading]
        at = target.ordinal - 1 if target.ordinal > 0 else len(rows) + target.ordinal
        if not 0 <= at < len(rows):
            return None
        return tuple(each for each in left if (each.frame, each.row) == rows[at])
    if not wanted.strip() or not any(holds(each) for each in candidates):
        return None
    return tuple(each for each in left if holds(each))


def _inside(
    candidates: Sequence[Candidate], target: Target, left: tuple[Candidate, ...]
) -> tuple[Candidate, ...]:
    """Find what stands in a group of that name, or under a heading of that name."""
    if not target.text:
        return ()
    wording = Wording.of(target, "click")

    def best(texts: Sequence[str]) -> int:
        return max((scoring.name_points(wording, text)[0] for text in texts), default=0)

    for texts_of in (lambda each: each.groups, lambda each: (each.heading,)):
        ranked = [(best(texts_of(each)), each) for each in left]
        top = max((points for points, _ in ranked), default=0)
        if top >= scoring.CONTAINED:
            return tuple(each for points, each in ranked if points == top)
    return ()


def _anchors(candidates: Sequence[Candidate], target: Target) -> list[Candidate]:
    """Find what a relation names: the best by name, whatever it is."""
    wanted = Wanted(target, "see")
    wording = Wording.of(target, "see")
    scored = [s for each in candidates if (s := scoring.score(each, wanted, wording))]
    top = max((each.score for each in scored), default=0)
    if top < ACCEPT - scoring.IN_VIEW:
        return []
    if target.role == "menu" and any(each.candidate.role == "menu" for each in scored):
        # What stands in a menu stands in the open one, not in the button that opened it.
        scored = [each for each in scored if each.candidate.role == "menu"]
    close = [each.candidate for each in scored if each.score > top - scoring.TOP_DIALOG]
    if target.ordinal is not None:
        close.sort(key=lambda each: each.order)
        at = target.ordinal - 1 if target.ordinal > 0 else len(close) + target.ordinal
        return close[at : at + 1] if at >= 0 else []
    # The smallest: a row that holds a word is not the word.
    close.sort(key=lambda each: (each.width * each.height, each.order))
    return close[:MOST_ANCHORS]


def _gap(anchor: Candidate, other: Candidate, kind: str) -> float | None:
    """Give the distance between two boxes, or None where the relation does not hold."""
    if key(anchor) == key(other):
        return None
    right, bottom = anchor.x + anchor.width, anchor.y + anchor.height
    other_right, other_bottom = other.x + other.width, other.y + other.height
    aside = max(other.x - right, anchor.x - other_right, 0.0)
    apart = max(other.y - bottom, anchor.y - other_bottom, 0.0)
    if kind == "in":
        middle = other.x + other.width / 2, other.y + other.height / 2
        inside = anchor.x <= middle[0] <= right and anchor.y <= middle[1] <= bottom
        return 0.0 if inside else None
    if kind == "below":
        return apart + aside if other.y >= bottom - 2 and aside == 0 else None
    if kind == "above":
        return apart + aside if other_bottom <= anchor.y + 2 and aside == 0 else None
    same_row = bool(anchor.row) and (anchor.frame, anchor.row) == (other.frame, other.row)
    near = (apart == 0 and aside <= _BESIDE) or (aside == 0 and apart <= _CLOSE)
    return aside + apart if same_row or near else None
