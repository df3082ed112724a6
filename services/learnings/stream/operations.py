"""Following an organization's learnings (learnings contract, section 6.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from services.learnings.stream import store
from shared.bus import Event, Transport
from shared.contracts.learnings import LearningChanged, LearningRecorded, LearningRetired
from shared.db import Database
from shared.errors import Forbidden
from shared.followers import Follower, Followers, Limits, Seen, following
from shared.principal import Kind, Principal
from shared.server_sent import cursor_of, written
from shared.streams import Draining

PAGE: Final = 100
PAGE_BYTES: Final = 1_000_000


def _organization(event: LearningRecorded | LearningChanged | LearningRetired) -> str:
    return event.org_id


class Streams(Followers):
    """The open streams of this process. Use as a context manager."""

    def __init__(self, transport: Transport, *, most: int, per_organization: int) -> None:
        news: dict[type[Event], Callable[[Any], str]] = {
            LearningRecorded: _organization,
            LearningChanged: _organization,
            LearningRetired: _organization,
        }
        limits = Limits(most, per_organization, "An organization")
        super().__init__(transport, "learnings.stream", news, limits)

    async def admit_principal(self, principal: Principal) -> Follower:
        """Take in one more stream of what the caller's organization learns.

        Raises:
            Forbidden: the caller acts in no organization.
            RateLimited: the organization has enough streams here.
            Unavailable: the process has.
        """
        if not principal.org:
            raise Forbidden("An organization is needed")
        follower = Follower.of(principal, principal.org, principal.org)
        await self.admit(follower)
        return follower


async def begin(database: Database, org_id: str, last_event_id: str) -> int:
    """Say after which number a stream starts: the one given, else the newest.

    A number that was never given is taken for the newest.

    Raises:
        Invalid: it is no number.
    """
    cursor = cursor_of(last_event_id)
    async with database.connection() as connection:
        newest = await store.newest(connection, org_id)
    return newest if cursor is None else min(cursor, newest)


def follow(
    database: Database,
    streams: Streams,
    draining: Draining,
    follower: Follower,
    principal: Principal,
    cursor: int,
) -> AsyncIterator[bytes]:
    """Give everything after a number and then what comes, until told or time to stop.

    The policy of a key filters what it follows; people see everything.
    """
    org_id = principal.org
    key_id = principal.subject if principal.kind is Kind.API_KEY else ""
    at = cursor

    async def look() -> Seen:
        nonlocal at
        async with database.connection() as connection:
            page = await store.after(connection, org_id, key_id, at, PAGE, PAGE_BYTES)
        at = page.to
        text = b"".join(written(one.sequence, one.name, one.data) for one in page.events)
        return Seen(text, page.waits)

    return following(streams, draining, follower, look)
