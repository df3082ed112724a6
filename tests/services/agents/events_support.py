"""Streams of sessions, read by their owners and by others."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from shared.bus import connect
from shared.bus.events import Event, encode
from shared.principal import Principal
from tests.services.agents.messages_support import Talk
from tests.support.event_stream import Reading, reading
from tests.support.postgres import DatabaseUrls
from tests.support.service import asserting


def follow(
    talk: Talk,
    last: str | int | None = None,
    principal: Principal | None = None,
    query: str = "",
) -> AbstractAsyncContextManager[Reading]:
    """Keep a stream of a session open and read it."""
    headers = asserting("agents", principal or talk.owner)
    return reading(talk.agents.client, f"/api/v0/{talk.path}/events{query}", headers, last)


def told(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Give the kinds of events with what matters: a message's text, or a state."""
    kept = {"message": "content", "state": "state", "deleted": "reason"}
    return [(one["event"], one["data"][kept[one["event"]]]) for one in events]


async def publish(urls: DatabaseUrls, event: Event) -> None:
    """Send an event as its service's relay would."""
    transport = await connect(urls.url("bus"))
    try:
        await transport.publish([encode(event)])
    finally:
        await transport.close()
