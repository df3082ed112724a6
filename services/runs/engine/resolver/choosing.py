"""Choosing the element that a step means, or saying that there is none or more than one.

Pure: the same candidates in any order give the same answer. Who locates reads the page again until
the step's time is over before giving up (contract section 5.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.runs.engine.language.models import Target
from services.runs.engine.resolver import places, roles, scoring
from services.runs.engine.resolver.models import (
    ACCEPT,
    LEAD,
    MOST_SHOWN,
    Absent,
    Ambiguous,
    Candidate,
    Choice,
    Resolved,
    Scored,
    Wanted,
)
from services.runs.engine.resolver.places import key
from services.runs.engine.resolver.scoring import Wording

_HOLDERS = frozenset({"row", "listitem", "article"})
_REGIONS = frozenset({"region", "complementary", "group", "dialog", "form"})


def choose(candidates: Sequence[Candidate], wanted: Wanted) -> Resolved:
    """Choose.

    Args:
        candidates: of one reading, in any order.
        wanted: by the step.

    Returns:
        The choice; or those that would do equally well; or what came nearest.
    """
    ranked, missing = _rank(candidates, wanted)
    if missing:
        return Absent(ranked[:MOST_SHOWN], missing=missing)
    usable = [each for each in ranked if _is_usable(each.candidate, wanted)]
    best_closed = next((each for each in ranked if not _is_usable(each.candidate, wanted)), None)
    shown = tuple(usable[:MOST_SHOWN])
    if best_closed is not None and best_closed.score >= ACCEPT:
        second = usable[0].score if usable else 0.0
        # What is meant is there and disabled: something less like it must not stand in for it.
        if best_closed.score >= second + LEAD:
            return Absent(shown, disabled=best_closed.candidate)
    if not usable or usable[0].score < ACCEPT:
        return Absent(shown)
    tied = [each for each in usable if each.score > usable[0].score - LEAD]
    ordinal = wanted.target.ordinal
    if ordinal is not None:
        # Counting goes by name alone: where an element stands must not take it out of its row.
        best = max(each.base for each in usable)
        return _nth([each for each in usable if each.base > best - LEAD], ordinal, shown)
    main = [each for each in tied if each.candidate.level == 1]
    if len(main) == 1 and wanted.verb == "see" and wanted.target == Target("", role="heading"):
        tied = main  # "the heading" of a page that has many is its title
    rest = [each for each in usable if each.score <= usable[0].score - LEAD]
    tied = _inmost(tied) if ordinal is None else tied
    if len(tied) == 1 or _same_effect(tied):
        first = tied[0]
        return Choice(first.candidate, first.score, first.score - (rest[0].score if rest else 0))
    return Ambiguous(tuple(tied[:MOST_SHOWN]))


def rank(candidates: Sequence[Candidate], wanted: Wanted) -> tuple[Scored, ...]:
    """Give all that could be meant, best first; hidden ones and those out of place are left out."""
    ranked, missing = _rank(candidates, wanted)
    return () if missing else ranked


def _rank(candidates: Sequence[Candidate], wanted: Wanted) -> tuple[tuple[Scored, ...], str]:
    wording = Wording.of(wanted.target, wanted.verb)
    seen = sorted(
        (each for each in candidates if _is_seen(each, wanted)),
        key=lambda each: (each.order, each.frame, each.ref),
    )
    scored = [found for each in seen if (found := scoring.score(each, wanted, wording))]
    scored = [each for each in scored if _is_what_is_said(each.candidate, wanted)]
    if wanted.target.role == "row" and wanted.target.ordinal is not None:
        heads = places.heads(seen)
        scored = [
            each for each in scored if (each.candidate.frame, each.candidate.row) not in heads
        ]
    missing = ""
    if wanted.target.region or wanted.target.relations:
        placed = places.place(seen, wanted.target, [each.candidate for each in scored])
        missing = placed.missing
        if not missing:
            scored = _placed(scored, placed)
    scored.sort(key=lambda each: (-each.score, each.candidate.order, key(each.candidate)))
    return tuple(_without_shells(scored)), missing


def _placed(scored: Sequence[Scored], placed: places.Placed) -> list[Scored]:
    """Keep those that lie where they should, the nearest with its bonus."""
    kept = {key(each) for each in placed.candidates}
    found = []
    for each in scored:
        name = key(each.candidate)
        bonus = placed.bonus.get(name, 0)
        if name in kept and bonus:
            signals = (*each.signals, f"nearest {bonus:+d}")
            found.append(replace(each, score=each.score + bonus, signals=signals))
        elif name in kept:
            found.append(each)
    return found


def _is_seen(candidate: Candidate, wanted: Wanted) -> bool:
    if (candidate.role, candidate.name) in wanted.refused:
        return False
    return candidate.visible or (wanted.verb == "upload" and candidate.role == "file")


def _is_what_is_said(candidate: Candidate, wanted: Wanted) -> bool:
    return wanted.verb not in ("see", "wait") or roles.is_seen_as(candidate, wanted.target.role)


def _is_usable(candidate: Candidate, wanted: Wanted) -> bool:
    if wanted.verb in ("see", "wait", "scroll", "hover"):
        return True
    if wanted.verb in ("fill", "clear") and candidate.role in ("textbox", "searchbox"):
        return candidate.enabled and candidate.editable
    return candidate.enabled


def _without_shells(ranked: list[Scored]) -> list[Scored]:
    """Leave out what only wraps an element of the same name, as a card that is a link does."""
    shells = {
        (each.candidate.frame, each.candidate.within, each.candidate.name)
        for each in ranked
        if each.candidate.within
    }
    return [
        each
        for each in ranked
        if (each.candidate.frame, each.candidate.ref, each.candidate.name) not in shells
    ]


def _inmost(tied: list[Scored]) -> list[Scored]:
    """Leave out what is meant only by way of another that is tied with it.

    A row or item that begins with a name gives way to the element in it that is called just so;
    the heading of a region to the region that is called the same.
    """
    called = [each for each in tied if each.signals and each.signals[0].startswith("exact name")]
    rows = {(each.candidate.frame, each.candidate.row) for each in called if each.candidate.row}
    regions = [each.candidate for each in tied if each.candidate.role in _REGIONS]

    def stands_for_another(each: Scored) -> bool:
        one = each.candidate
        if one.role in _HOLDERS and each not in called:
            return (one.frame, one.row) in rows
        return one.role == "heading" and any(_heads(one, region) for region in regions)

    return [each for each in tied if not stands_for_another(each)] or tied


def _heads(heading: Candidate, region: Candidate) -> bool:
    """Tell whether a heading stands in the region that is called the same."""
    if heading.name != region.name or heading.frame != region.frame:
        return False
    across = region.x <= heading.x and heading.x + heading.width <= region.x + region.width
    down = region.y <= heading.y and heading.y + heading.height <= region.y + region.height
    return across and down


def _same_effect(tied: Sequence[Scored]) -> bool:
    """Tell whether it makes no difference which of them is taken."""
    hrefs = {(each.candidate.href, each.candidate.role) for each in tied}
    effects = {each.candidate.effect for each in tied}
    frames = {each.candidate.frame for each in tied}
    if len(hrefs) == 1 and tied[0].candidate.href:
        return True
    return len(effects) == 1 and bool(tied[0].candidate.effect) and len(frames) == 1


def _nth(tied: Sequence[Scored], ordinal: int, shown: tuple[Scored, ...]) -> Resolved:
    inside = sorted(tied, key=lambda each: (each.candidate.order, key(each.candidate)))
    at = ordinal - 1 if ordinal > 0 else len(inside) + ordinal
    if ordinal == 0 or not 0 <= at < len(inside):
        return Absent(shown, missing=f"number {ordinal} of {len(inside)}")
    chosen = inside[at]
    return Choice(chosen.candidate, chosen.score, float(LEAD))
