"""Deciding whether an element is the one that was there before. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from services.runs.engine.healing.models import Place
from services.runs.engine.resolver.models import Candidate

RESCUE: Final = 70
"""Points that an element of another name needs to be taken for the one before."""

LEAD: Final = 10

_BY_TEST_ID: Final = 75
_BY_ID: Final = 60
_SAME_ROLE: Final = 10
_SAME_NEIGHBOUR: Final = 8
_OTHER_ROLE: Final = -30

_ID: Final = re.compile(
    r"\d+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?=.*\d)[\w-]{16,}",
    re.IGNORECASE | re.ASCII,
)


def path_template(url: str) -> str:
    """Give a page's path with numbers, UUIDs and long ids replaced by ``{id}``."""
    parts = urlsplit(url).path.split("/")
    return "/".join("{id}" if _ID.fullmatch(part) else part for part in parts)[:500] or "/"


def place_of(candidate: Candidate) -> Place:
    """Describe an element."""
    return Place(
        frame=candidate.frames,
        role=candidate.role,
        name=candidate.name,
        label=candidate.name_sources.get("label", ""),
        test_id=candidate.test_id,
        css=candidate.css,
        neighbour=candidate.neighbour,
    )


def is_refused(candidate: Candidate, refused: Sequence[Place]) -> bool:
    """Tell whether a person has refused this element for the step."""
    return any(one.role == candidate.role and one.name == candidate.name for one in refused)


def recall(place: Place, candidates: Sequence[Candidate]) -> Candidate | None:
    """Find the one element whose role and name still are those of before; several are none."""
    same = [
        one
        for one in candidates
        if one.visible
        and one.enabled
        and one.role == place.role
        and one.name == place.name
        and one.frames == place.frame
    ]
    return same[0] if len(same) == 1 else None


def rescue(place: Place, candidates: Sequence[Candidate]) -> tuple[Candidate, float] | None:
    """Find an element that is called otherwise now, by what its authors call it; with its points.

    None unless one leads over all others: a guess would be worse than none.
    """
    scored = sorted(
        (
            (points, -order, one)
            for order, one in enumerate(candidates)
            if one.visible and one.enabled and (points := _points(place, one)) > 0
        ),
        key=lambda each: each[:2],
        reverse=True,
    )
    if not scored or scored[0][0] < RESCUE:
        return None
    if len(scored) > 1 and scored[0][0] - scored[1][0] < LEAD:
        return None
    return scored[0][2], scored[0][0]


def _points(place: Place, candidate: Candidate) -> float:
    if candidate.frames != place.frame:
        return 0
    points = 0
    if place.test_id and candidate.test_id == place.test_id:
        points = _BY_TEST_ID
    elif _names_an_id(place.css) and candidate.css == place.css:
        points = _BY_ID
    if not points:
        return 0
    points += _SAME_ROLE if candidate.role == place.role else _OTHER_ROLE
    if place.neighbour and candidate.neighbour == place.neighbour:
        points += _SAME_NEIGHBOUR
    return points


def _names_an_id(css: str) -> bool:
    """Tell whether a selector ends in an id that somebody chose, not in a position."""
    last = css.rsplit(">", 1)[-1].strip()
    return "#" in last and ":nth" not in last
