"""What is forgotten when knowledge outgrows its limit (teams contract, section 6.5)."""

from __future__ import annotations

from typing import Final

from services.teams.teams.rules.merging import merge

CAP: Final = 100_000
PREAMBLE_CAP: Final = 10_240

_NEXT_SECTION: Final = b"\n## "


def knowledge_after(existing: str | None, incoming: str | None) -> str:
    """Give what is stored when a writer sends knowledge: merged, then pruned."""
    return prune(merge(existing, incoming))


def prune(text: str | None, cap: int = CAP) -> str:
    """Drop the oldest sections of a text that is larger than ``cap`` bytes.

    A section begins with a line ``## ``; what stands before the first one, the preamble, stays, cut
    to ``PREAMBLE_CAP`` bytes at the end of a line. Of the sections only whole ones go, until four
    fifths of ``cap`` hold the rest; where not even the newest fits, the preamble remains alone.
    Takes time in proportion to the text.
    """
    if not text or len(text) * 4 <= cap:
        return text or ""
    data = text.encode()
    if len(data) <= cap:
        return text
    room = cap * 4 // 5
    first = _first_section(data)
    preamble = _cut(data[:first], min(PREAMBLE_CAP, room))
    size = len(preamble)
    kept: list[bytes] = []
    end = len(data)
    while end > first:
        start = data.rfind(_NEXT_SECTION, first, end) + 1 or first
        size += end - start + (1 if kept or preamble else 0)
        if size > room:
            break
        kept.append(data[start:end])
        # The line end between two sections belongs to neither: it is what joins them.
        end = start - 1
    head = [preamble] if preamble else []
    return b"\n".join(head + kept[::-1]).decode()


def _first_section(data: bytes) -> int:
    """Find where the first section begins; the end of the text where there is none."""
    if data.startswith(_NEXT_SECTION[1:]):
        return 0
    return data.find(_NEXT_SECTION) + 1 or len(data)


def _cut(data: bytes, limit: int) -> bytes:
    """Keep whole lines up to ``limit`` bytes; of a first line that is longer, whole characters."""
    if len(data) <= limit:
        return data
    end = data.rfind(b"\n", 0, limit) + 1
    return data[:end] or data[:limit].decode(errors="ignore").encode()
