"""Decisions about pulls that need no database (learnings contract, section 6.1).

An entity tag names the newest numbers, the policy's revision and the cursors *after* the page, and
whether rows wait behind it. A client stores the tag of page 1 and asks for page 2 with it: a tag
that named the newest state alone would answer 304 there, and the client would be stuck for good.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from services.learnings.intel.models import FeedPage, Known, Reader

_TAG: Final = re.compile(r"(\d{1,18})\.(\d{1,18})\.(\d{1,18})\.([0-9a-f]{16})\.end")
_QUOTED: Final = re.compile(r'(?:W/)?"([^"]*)"')
_SPREAD: Final = 0.2
_SHORTEST: Final = 60
_LONGEST: Final = 7200


def tag_of(reader: Reader, page: FeedPage, interval: int) -> str:
    """Make the entity tag of an answer."""
    after = _where(
        reader,
        reader.since if page.last is None else page.last,
        reader.company_since if page.company_last is None else page.company_last,
        interval,
    )
    ends = "more" if page.waits else "end"
    return f"{page.high}.{page.company_high}.{page.revision}.{after}.{ends}"


def known_of(reader: Reader, if_none_match: str, interval: int) -> Known | None:
    """Read what a client has whole from its ``If-None-Match``; None where that is nothing.

    Only the tag of a last page counts, and only with the cursors that it was made for.
    """
    here = _where(reader, reader.since, reader.company_since, interval)
    sent = _QUOTED.findall(if_none_match) or [if_none_match.strip()]
    for tag in sent[:8]:
        match = _TAG.fullmatch(tag)
        if match and match[4] == here:
            return Known(int(match[1]), int(match[2]), int(match[3]))
    return None


def _where(reader: Reader, since: int, company_since: int, interval: int) -> str:
    text = "\n".join(
        (reader.org_id, reader.key_id, reader.own, f"{since} {company_since} {interval}")
    )
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]


def interval_for(client: str, seconds: int) -> int:
    """Spread the poll interval by 20 % either way, always the same for one client."""
    share = int.from_bytes(hashlib.sha256(client.encode(errors="replace")).digest()[:4]) / 2**32
    spread = round(seconds * (1 - _SPREAD + 2 * _SPREAD * share))
    return max(_SHORTEST, min(_LONGEST, spread))
