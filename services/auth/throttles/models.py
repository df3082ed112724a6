"""What is counted, and how many failures are allowed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Limit:
    """So many failures within a window that begins with the first of them.

    Attributes:
        bucket: what is counted, such as ``login.account``.
        most: failures after which nothing more is tried.
        window: how long they count.
        block: how long nothing more is tried once there are that many; the rest of the window if
            absent.
        is_network: whether what counts are network addresses. Of IPv6 the first 64 bits count,
            because a single household has all the others.
    """

    bucket: str
    most: int
    window: timedelta
    block: timedelta | None = None
    is_network: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """A limit and the one it counts for.

    ``key`` is any text that names them: an account, an address.
    """

    limit: Limit
    key: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many failures there are, until when they count, and the time it is in the database."""

    failures: int
    ends_at: datetime
    now: datetime
