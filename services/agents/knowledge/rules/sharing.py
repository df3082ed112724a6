"""One answer out of what several knowledge bases gave, within the limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Final

from services.agents.knowledge.models import MOST_BYTES, MOST_PASSAGES
from services.agents.providers.models import Passage

_MARK: Final = " …"
"""Ends what was cut."""

_WORTHWHILE: Final = 200
"""UTF-8 bytes of text under which the rest of a passage is not worth its room."""


def cut(text: str, limit: int) -> str:
    """Cut a text to so many UTF-8 bytes, and say so at its end."""
    if len(text) * 4 <= limit:
        return text
    data = text.encode()
    if len(data) <= limit:
        return text
    return data[: limit - len(_MARK.encode())].decode(errors="ignore").rstrip() + _MARK


def shared_out(found: Sequence[Sequence[Passage]]) -> list[Passage]:
    """Take the best of each base in turn, then the second best, until there is no more room.

    What two bases gave stands there once; the last passage may be cut.
    """
    taken: list[Passage] = []
    room = MOST_BYTES
    for passage in _in_turn(found):
        if len(taken) == MOST_PASSAGES:
            break
        if passage in taken:
            continue
        head = len(passage.title.encode())
        size = head + len(passage.text.encode())
        if size > room:
            if room - head >= _WORTHWHILE:
                taken.append(replace(passage, text=cut(passage.text, room - head)))
            break
        taken.append(passage)
        room -= size
    return taken


def _in_turn(found: Sequence[Sequence[Passage]]) -> Iterator[Passage]:
    for row in zip_longest(*found):
        yield from (passage for passage in row if passage is not None)
