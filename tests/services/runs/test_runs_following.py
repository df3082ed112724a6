"""Following a run: the same events as polling shows, no loss, no duplicates (section 8.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.runs.app import SERVICE
from shared.bus import Relay, Transport
from shared.principal import Principal
from shared.service import create_app
from tests.services.runs.conftest import Runs, runs_settings
from tests.services.runs.workers_support import Works
from tests.support.event_stream import LIMIT, Reading, reading
from tests.support.postgres import DatabaseUrls
from tests.support.service import asserting
from tests.support.serving import serving


@pytest.fixture(scope="module")
async def live(urls: DatabaseUrls) -> AsyncIterator[httpx.AsyncClient]:
    """The service on a real port, because a stream must be read while it is written."""
    app = create_app(SERVICE, runs_settings(urls))
    async with serving(app) as address, httpx.AsyncClient(base_url=address, timeout=20) as client:
        yield client


@pytest.fixture
async def works(runs: Runs, tmp_path: Path) -> AsyncIterator[Works]:
    """Where workers work; what they say is told over the bus."""
    async with Relay(runs.database, "runs", runs.resources[Transport]):
        yield Works(runs, tmp_path, runs.member())


@asynccontextmanager
async def following(
    client: httpx.AsyncClient,
    member: Principal,
    run_id: str,
    last: int | None = None,
    query: str = "",
) -> AsyncIterator[Reading]:
    headers = asserting("runs", member)
    async with reading(client, f"/api/v1/runs/{run_id}/events{query}", headers, last) as found:
        yield found


async def whole(found: Reading) -> list[dict[str, Any]]:
    """Read a stream to its end."""
    async with asyncio.timeout(LIMIT):
        await found.over.wait()
    return found.events


async def test_a_stream_is_live_and_ends_with_done(
    works: Works, live: httpx.AsyncClient, urls: DatabaseUrls
) -> None:
    gate = works.gate()
    run_id = await works.queue("event 5", f"hold {gate}", "event 700")
    async with following(live, works.member, run_id) as found, works.working(urls=urls):
        await found.until(6)
        assert not found.over.is_set()
        gate.touch()
        events = await whole(found)
    polled = (await works.read(run_id))["events"]
    assert [event["data"] for event in events] == polled
    assert [int(event["id"]) for event in events] == [event["seq"] for event in polled]
    assert [event["event"] for event in events] == [event["kind"] for event in polled]
    assert events[-1]["event"] == "done"
    assert found.ids == list(range(1, len(polled) + 1))


async def test_a_stream_is_resumed_without_loss_or_duplicates(
    works: Works, live: httpx.AsyncClient, urls: DatabaseUrls
) -> None:
    gate = works.gate()
    run_id = await works.queue("event 20", f"hold {gate}", "event 20")
    seen: list[int] = []
    async with works.working(urls=urls):
        async with following(live, works.member, run_id) as found:
            await found.until(7)
        seen += found.ids[:7]
        gate.touch()
        async with following(live, works.member, run_id, last=seen[-1]) as found:
            await whole(found)
        seen += found.ids
    assert seen == list(range(1, 43))
    async with following(live, works.member, run_id, query="?since=40") as found:
        await whole(found)
    assert found.ids == [41, 42]


async def test_who_has_seen_the_end_need_not_come_again(
    works: Works, live: httpx.AsyncClient, urls: DatabaseUrls
) -> None:
    run_id = await works.queue("event 1")
    async with works.working(urls=urls):
        run = await works.becomes(run_id, "passed")
    headers = asserting("runs", works.member) | {"last-event-id": str(len(run["events"]))}
    answer = await live.get(f"/api/v1/runs/{run_id}/events", headers=headers)
    assert answer.status_code == 204


async def test_cancelling_a_run_that_waits_ends_its_stream(
    works: Works, live: httpx.AsyncClient
) -> None:
    run_id = await works.queue("event 1")
    async with following(live, works.member, run_id) as found:
        await works.runs.post(f"runs/{run_id}/cancel", works.member)
        events = await whole(found)
    assert [(event["event"], event["data"]["status"]) for event in events] == [
        ("done", "cancelled")
    ]


async def test_deleting_a_run_ends_its_stream(works: Works, live: httpx.AsyncClient) -> None:
    run_id = await works.queue("event 1")
    async with following(live, works.member, run_id) as found:
        await works.runs.delete(f"runs/{run_id}", works.member)
        assert await whole(found) == []


@pytest.mark.parametrize("last", ["x", "-1", "1.5"])
async def test_a_cursor_that_is_none_is_refused(runs: Runs, last: str) -> None:
    member = runs.member()
    run_id = await runs.add_run(member.org)
    answer = await runs.get(f"runs/{run_id}/events", member, headers={"last-event-id": last})
    assert answer.status_code == 422
