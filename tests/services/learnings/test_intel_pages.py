"""Pages of the feed: whatever their size and whatever happens between them, nothing is lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.learnings.intel import operations, rules, store
from services.learnings.intel.models import FeedPage, Known, Reader, Scanned, StateQuery
from services.learnings.intel.operations import Scans
from services.learnings.stream import store as stream
from shared.db import Database
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.rows import fill
from tests.services.learnings.sync_support import Puller, entry, push
from tests.support.postgres import DatabaseUrls

POLL = 300


@pytest.fixture(scope="module")
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(urls.url("learnings"))
    yield database
    await database.close()


class Model:
    """An organization as a plain list of numbered rows, and the feed over it."""

    def __init__(self) -> None:
        self.high = 0
        self.rows: dict[str, tuple[int, str]] = {}

    def write(self, name: str, origin: str) -> None:
        self.high += 1
        self.rows[name] = (self.high, origin)

    def page(self, reader: Reader, known: Known | None, size: int) -> FeedPage:
        if known == Known(self.high, 0, 0):
            return FeedPage(self.high, 0, 0, "[]", None, None, waits=False)
        waiting = sorted(
            (seq, name)
            for name, (seq, origin) in self.rows.items()
            if seq > reader.since and origin != reader.own
        )
        page = waiting[:size]
        last = page[-1][0] if page else None
        return FeedPage(
            self.high, 0, 0, json.dumps(page), last, None, waits=len(waiting) > len(page)
        )


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 20), st.sampled_from(["own", "b", "c"])),
        st.tuples(st.just("pull"), st.integers(1, 4), st.just("")),
    ),
    max_size=60,
)


@given(steps=STEPS, last_size=st.integers(1, 3))
@settings(deadline=None)
def test_client_that_stores_the_tag_of_page_one_ends_with_all_rows(
    steps: list[tuple[str, int, str]], last_size: int
) -> None:
    """Section 6.1: stores each tag, asks the next page with it, stops at 304."""
    model, since, tag = Model(), 0, ""
    held: dict[str, int] = {}

    def pull(size: int) -> bool:
        nonlocal since, tag
        reader = Reader("org", "", "own", since, 0)
        known = rules.known_of(reader, f'"{tag}"', POLL)
        page = model.page(reader, known, size)
        if known == Known(page.high, page.company_high, page.revision):
            return False
        tag = rules.tag_of(reader, page, POLL)
        for sequence, name in json.loads(page.rows):
            assert sequence > since
            since, held[name] = sequence, sequence
        return True

    for step, number, origin in steps:
        if step == "write":
            model.write(f"{number % 7}-{origin}", origin)
        else:
            pull(number)
    rounds = 0
    while pull(last_size):
        rounds += 1
        assert rounds < 100, "it never says that nothing is new"
    assert held == {name: seq for name, (seq, origin) in model.rows.items() if origin != "own"}


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("push"), st.integers(1, 9), st.sampled_from("ab")),
            st.tuples(st.just("pull"), st.integers(1, 7), st.sampled_from("abc")),
        ),
        min_size=3,
        max_size=12,
    ),
    size=st.integers(1, 5),
)
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
async def test_real_pages_of_random_size_between_random_pushes(
    client: Any, database: Database, steps: list[tuple[str, int, str]], size: int
) -> None:
    tenant, scans, pushed = Tenant(client), Scans(), {"a": 0, "b": 0}
    pullers = {name: Puller(tenant, client_id=f"sync-x-{name * 16}") for name in "abc"}

    async def pull(puller: Puller, most: int) -> bool:
        query = StateQuery(
            since_seq=puller.since,
            since_company_seq=puller.company_since,
            client_id=puller.client_id,
        )
        reader = operations.reader_of(tenant.principal, query)
        tag = f'"{puller.etag}"' if puller.etag else ""
        pulled = await operations.pull(
            database, scans, reader, tag, client="c", poll_seconds=POLL, size=most
        )
        if pulled.body is None:
            return False
        assert puller.take(json.loads(pulled.body)) <= most
        return True

    for step, number, name in steps:
        if step == "pull":
            await pull(pullers[name], number)
            continue
        batch = [entry(f"L-{name}-{pushed[name] + at}") for at in range(number)]
        pushed[name] += number
        await push(tenant, *batch, client_id=f"sync-x-{name * 16}")
    for puller in pullers.values():
        while await pull(puller, size):
            pass
        own = puller.client_id[-1]
        expected = {
            f"L-{name}-{at}" for name, count in pushed.items() if name != own for at in range(count)
        }
        assert set(puller.rows) == expected
        assert puller.seen == sorted(set(puller.seen))


async def test_backlog_of_a_thousand_rows_arrives_with_tags_in_use(
    tenant: Tenant, sql: asyncpg.Connection[Any]
) -> None:
    """Section 8.4."""
    await fill(sql, tenant.org, 1000)
    puller = Puller(tenant)
    pages = 0
    while await puller.pull():
        pages += 1
    assert (len(puller.seen), pages) == (1000, 5)
    assert puller.since == 1000


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.mark.slow
async def test_deep_cursors_and_known_states_cost_the_same(
    sql: asyncpg.Connection[Any],
) -> None:
    """What a page touches is near its size, wherever the cursor stands."""
    org = f"org_{uuid4().hex}"
    await sql.execute(
        """
        INSERT INTO learnings.learning (org_id, id, feed_id, summary, detail, tags, impact, status,
               type, origin, recorded_by, account_id, sync_seq, created_at, updated_at)
        SELECT $1, $1 || n, 'L-' || n, n::text, n::text, '{}', 0.5, 'active', 'pattern', 'filled',
               'key', '', n, now() + n * interval '1 s', now()
          FROM generate_series(1, 50000) AS n
        """,
        org,
        timeout=120,
    )
    await sql.execute(
        "INSERT INTO learnings.organization (org_id, sequence) VALUES ($1, 50000)", org
    )
    await sql.execute("VACUUM ANALYZE learnings.learning", timeout=60)

    async def touched(reader: Reader, known: Known | None, scanned: Scanned | None) -> int:
        return await walked(store.PAGE, store.page_values(reader, known, scanned, 200, 10**9))

    async def walked(statement: str, values: list[Any]) -> int:
        raw = await sql.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", *values)
        plan = list(nodes(json.loads(raw)[0]["Plan"]))
        scans = [node for node in plan if node.get("Relation Name") == "learning"]
        assert all(node["Node Type"].startswith("Index") for node in scans), scans
        return sum(
            (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            for node in scans
        )

    for since in (0, 25_000, 49_700):
        assert await touched(Reader(org, "", "", since, 0), None, None) == 201
    assert await touched(Reader(org, "", "", 50_000, 0), None, None) == 0
    assert await walked(stream.AFTER, [org, "", 25_000, 100]) == 100
    # Who has everything is looked at no row for.
    assert await touched(Reader(org, "", "filled", 0, 0), Known(50_000, 0, 0), None) == 0
    # Who wrote everything is walked past its own rows once.
    assert await touched(Reader(org, "", "filled", 0, 0), None, Scanned(0, 50_000)) == 0


def test_what_was_walked_past_is_remembered_within_bounds() -> None:
    scans = Scans()
    page = FeedPage(7, 0, 3, "[]", None, None, waits=False)
    readers = [Reader("org", "", f"own-{number}", 0, 0) for number in range(10_001)]
    for reader in readers:
        scans.note(reader, page)
    assert scans.get(readers[0]) is None
    assert scans.get(readers[-1]) == Scanned(revision=3, to=7)


@pytest.mark.parametrize(("seconds", "least", "most"), [(300, 240, 360), (60, 60, 72)])
def test_interval_is_spread_but_within_what_clients_keep(
    seconds: int, least: int, most: int
) -> None:
    spread = [rules.interval_for(f"client-{number}", seconds) for number in range(500)]
    assert least <= min(spread) < max(spread) <= most
    assert spread == [rules.interval_for(f"client-{number}", seconds) for number in range(500)]
