"""Telling what is sent twice (learnings contract, section 5.2).

An event is known by its id, else by its content. Some clients tell each tool call in two halves,
one with an id and one without: same installation, tool and duration, two seconds apart at most.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from pydantic_core import to_json

from services.learnings.telemetry.models import Incoming
from services.learnings.telemetry.rules.events import DURATION, INSTALLATION, TIME, TOOL

APART: Final = timedelta(seconds=2)
LANES: Final = 16
"""Locks that the installations of one organization share; a request holds no more than these."""


def id_of(event: Mapping[str, Any]) -> str | None:
    """Give an event's own id, if it has a usable one."""
    value = event.get("event_id")
    return value if isinstance(value, str) and 0 < len(value) <= 256 else None


def incoming(event: Mapping[str, Any], row: list[Any]) -> Incoming:
    """Make what is stored of an event and its values, which name an installation."""
    own_id = id_of(event)
    known_by = b"\x01" + own_id.encode() if own_id else _canonical(event)
    name = row[INSTALLATION].encode()
    digest = hashlib.sha256(b"%b\x00%b" % (name, known_by)).digest()[:16]
    time, tool, duration = row[TIME], row[TOOL], row[DURATION]
    pair = None
    if time is not None and tool is not None and duration is not None:
        shared = b"%b\x00%b\x00%r" % (name, tool.encode(), duration)
        pair = _number(hashlib.blake2b(shared, digest_size=8).digest())
    lasting = own_id is not None or time is not None
    return Incoming(row, digest, own_id is not None, pair, lasting=lasting)


def _canonical(value: Any) -> bytes:
    return to_json(_sorted(value), inf_nan_mode="null")


def _sorted(value: Any) -> Any:
    if isinstance(value, list):
        return [_sorted(one) for one in value]
    if not isinstance(value, dict):
        return value
    if any(isinstance(inner, dict | list) for inner in value.values()):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return dict(sorted(value.items()))


def _number(digest: bytes) -> int:
    return int.from_bytes(digest, "big", signed=True)


def distinct(events: Iterable[Incoming]) -> tuple[list[Incoming], int]:
    """Leave out what stands twice, marry halves; give the rest and how many were left out.

    Of two halves the one with the id is kept, which tells more; the other stays in the list, so
    that it is known when it is sent again.
    """
    found: dict[bytes, Incoming] = {}
    repeated = 0
    for event in events:
        if event.digest in found:
            repeated += 1
        else:
            found[event.digest] = event
    kept = list(found.values())
    _marry(kept)
    return kept, repeated


def _marry(events: Sequence[Incoming]) -> None:
    groups: dict[int, list[int]] = defaultdict(list)
    for place, event in enumerate(events):
        if event.pair is not None:
            groups[event.pair].append(place)
    for places in groups.values():
        if len(places) > 1:
            _marry_group(events, sorted(places, key=lambda place: events[place].row[TIME]))


def _marry_group(events: Sequence[Incoming], places: Sequence[int]) -> None:
    """Marry as many as possible, walking along both kinds in the order of time."""
    named = [place for place in places if events[place].with_id]
    others = [place for place in places if not events[place].with_id]
    at = other_at = 0
    while at < len(named) and other_at < len(others):
        one, half = events[named[at]], events[others[other_at]]
        gap = one.row[TIME] - half.row[TIME]
        if abs(gap) <= APART:
            # Places are counted from 1, as the database counts them.
            one.mate, half.mate = others[other_at] + 1, named[at] + 1
            one.pair = half.pair = None
            half.keep = False
        at += gap <= APART
        other_at += gap >= -APART


def locks(org_id: str, installations: Iterable[str]) -> list[int]:
    """Give the locks that cover some installations of an organization, in order."""
    lanes = {hashlib.blake2b(name.encode()).digest()[0] % LANES for name in installations}
    names = (b"telemetry\x00%b\x00%d" % (org_id.encode(), lane) for lane in lanes)
    return sorted(_number(hashlib.blake2b(name, digest_size=8).digest()) for name in names)
