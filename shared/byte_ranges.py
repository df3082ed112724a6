"""Which part of a file a request wants (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.errors import PreconditionFailed, RangeNotSatisfiable

_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})\s*")


@dataclass(frozen=True, slots=True)
class Selection:
    """What a request wants of a file: 200 all of it, 206 a part, 304 nothing.

    ``start`` counts from 0; ``end`` is the first byte that is not sent.
    """

    status: int
    start: int
    end: int

    def headers(self, size: int, etag: str) -> dict[str, str]:
        """Give what stands beside the bytes of a file that has ``size`` of them."""
        headers = {"etag": etag, "accept-ranges": "bytes"}
        if self.status != 304:
            headers["content-length"] = str(self.end - self.start)
        if self.status == 206:
            headers["content-range"] = f"bytes {self.start}-{self.end - 1}/{size}"
        return headers


def select(size: int, etag: str, headers: Mapping[str, str]) -> Selection:
    """Decide what to send. Several ranges, and what is no range, mean the whole file.

    Raises:
        PreconditionFailed: ``If-Match`` names another version.
        RangeNotSatisfiable: the range begins behind the end.
    """
    if "if-match" in headers and not _names(headers["if-match"], etag, weakly=False):
        raise PreconditionFailed
    if "if-none-match" in headers and _names(headers["if-none-match"], etag, weakly=True):
        return Selection(304, 0, 0)
    whole = Selection(200, 0, size)
    match = _RANGE.fullmatch(headers.get("range", ""))
    if match is None or headers.get("if-range", etag).strip() != etag:
        return whole
    first, last = match.groups()
    if not first and not last:
        return whole
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start = int(first)
        if last and int(last) < start:
            return whole
        end = min(size, int(last) + 1) if last else size
    if start >= end:
        raise RangeNotSatisfiable(size)
    return Selection(206, start, end)


def _names(header: str, etag: str, *, weakly: bool) -> bool:
    for word in header.split(","):
        named = word.strip()
        if weakly:
            named = named.removeprefix("W/")
        if named in ("*", etag):
            return True
    return False
