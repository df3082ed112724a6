"""Following a run (runs contract, section 8.2): the events that polling shows, as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from services.runs.runs import rules
from services.runs.runs.operations import reading
from services.runs.runs.store import reading as store
from shared.bus import Transport
from shared.contracts.runs import RunProgressed
from shared.db import Database
from shared.followers import Follower, Followers, Limits, Seen, following
from shared.principal import Principal
from shared.server_sent import written
from shared.streams import Draining

PAGE: Final = 500
PAGE_BYTES: Final = 1_000_000

LOOK: Final = 3.0
"""Seconds after which a stream looks without being told that there is something."""


class Streams(Followers):
    """The open streams of this process. Use as a context manager."""

    def __init__(self, transport: Transport, *, most: int, per_organization: int) -> None:
        limits = Limits(most, per_organization, "An organization")
        super().__init__(
            transport, "runs.events", {RunProgressed: lambda said: said.run_id}, limits
        )


async def has_more(
    database: Database, principal: Principal, run_id: str, after: int | None
) -> bool:
    """Tell whether a run has events behind a number, or may still get some.

    Raises:
        NotFound: there is no such run.
    """
    async with database.connection() as connection:
        run = await reading.require(connection, principal.org, run_id)
    return run.status not in rules.FINAL or run.seq > (after or 0)


async def admit(streams: Streams, principal: Principal, run_id: str) -> Follower:
    """Take in one more stream.

    Raises:
        RateLimited: the organization has enough streams here.
        Unavailable: the process has.
    """
    follower = Follower.of(principal, run_id, principal.org)
    await streams.admit(follower)
    return follower


def follow(
    database: Database, streams: Streams, draining: Draining, follower: Follower, after: int
) -> AsyncIterator[bytes]:
    """Give the events of a run behind a number, until ``done``, or told or time to stop."""
    at = after

    async def look() -> Seen:
        nonlocal at
        async with database.connection() as connection:
            tail = await store.tail(
                connection, follower.org_id, follower.topic, at, PAGE, PAGE_BYTES
            )
        if tail is None:
            return Seen(b"", is_last=True)
        text = b"".join(written(seq, kind, body) for seq, kind, body in tail.events)
        if tail.events:
            at = tail.events[-1][0]
        is_over = tail.status in rules.FINAL and not tail.waits
        return Seen(text, tail.waits, is_last=is_over)

    return following(streams, draining, follower, look, every=LOOK)
