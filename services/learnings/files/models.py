"""What is known of a file beside its bytes, and what of it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

TICKET_LIFE: Final = 900
"""Seconds for which a signed address holds (learnings contract, section 4.3)."""


@dataclass(frozen=True, slots=True)
class Described:
    """A stored file as it is offered for download.

    Attributes:
        size: bytes.
        sha256: hexadecimal, lower case.
        name: under which it is saved.
        media_type: of its content.
    """

    size: int
    sha256: str
    name: str
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A download, ready to be sent."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes] | None
    media_type: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """An object that nobody needs any more."""

    org_id: str
    key: str
