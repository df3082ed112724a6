"""Which part of a file a request wants (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Final

from services.learnings.files.models import Described, Selection
from shared.errors import PreconditionFailed, RangeNotSatisfiable

LONGEST_KEY: Final = 512

_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})\s*")


def check_key(key: str) -> str:
    """Give the key back if it may name an object.

    Raises:
        ValueError: it could lead elsewhere than into the store.
    """
    if len(key) > LONGEST_KEY or not _KEY.fullmatch(key) or ".." in key:
        raise ValueError("not a key of an object")
    return key


def etag_of(file: Described) -> str:
    """Give the strong entity tag: the digest itself."""
    return f'"{file.sha256}"'


def headers_of(file: Described, selection: Selection) -> dict[str, str]:
    """Give what stands beside the bytes; ``Digest`` is of the whole file (RFC 3230)."""
    headers = {"etag": etag_of(file), "accept-ranges": "bytes"}
    if selection.status == 304:
        return headers
    digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
    headers |= {
        "digest": f"sha-256={digest}",
        "content-length": str(selection.end - selection.start),
        "content-disposition": f'attachment; filename="{file.name}"',
    }
    if selection.status == 206:
        headers["content-range"] = f"bytes {selection.start}-{selection.end - 1}/{file.size}"
    return headers


def select(file: Described, headers: Mapping[str, str]) -> Selection:
    """Decide what to send. Several ranges, and what is no range, mean the whole file.

    Raises:
        PreconditionFailed: ``If-Match`` names another version.
        RangeNotSatisfiable: the range begins behind the end.
    """
    etag = etag_of(file)
    if "if-match" in headers and not _names(headers["if-match"], etag, weakly=False):
        raise PreconditionFailed
    if "if-none-match" in headers and _names(headers["if-none-match"], etag, weakly=True):
        return Selection(304, 0, 0)
    whole = Selection(200, 0, file.size)
    match = _RANGE.fullmatch(headers.get("range", ""))
    if match is None or headers.get("if-range", etag).strip() != etag:
        return whole
    first, last = match.groups()
    if not first and not last:
        return whole
    if not first:
        start, end = max(0, file.size - int(last)), file.size
    else:
        start = int(first)
        if last and int(last) < start:
            return whole
        end = min(file.size, int(last) + 1) if last else file.size
    if start >= end:
        raise RangeNotSatisfiable(file.size)
    return Selection(206, start, end)


def _names(header: str, etag: str, *, weakly: bool) -> bool:
    for word in header.split(","):
        named = word.strip()
        if weakly:
            named = named.removeprefix("W/")
        if named in ("*", etag):
            return True
    return False
