from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from tests.services.learnings.conftest import Tenant
from tests.services.learnings.telemetry_support import Sql, at, call, count, rows, taken


def halves(seconds: float = 0, apart: float = 1, **fields: Any) -> list[dict[str, Any]]:
    """The two rows that a 0.62 client sends of one tool call."""
    named = call(ts=at(seconds), event_id=f"evt_{random.random()}", **fields)
    return [named, call(ts=at(seconds + apart), **fields)]


async def age(sql: Sql, tenant: Tenant, hours: int) -> None:
    """Make what was received older, as if by the clock."""
    for kind in ("event", "seen"):
        await sql.execute(
            "SELECT learnings.make_telemetry_days(d, d)"
            "  FROM (SELECT (now() AT TIME ZONE 'UTC')::date - 1) AS y (d)"
        )
        stamp = "received_at" if kind == "event" else "seen_at"
        await sql.execute(
            f"UPDATE learnings.telemetry_{kind} SET {stamp} = {stamp} - make_interval(hours => $2),"  # noqa: S608
            " day = (now() AT TIME ZONE 'UTC')::date - 1 WHERE org_id = $1",
            tenant.org,
            hours,
        )


async def test_an_id_tells_a_repeat_whatever_else_changed(tenant: Tenant, sql: Sql) -> None:
    assert await taken(tenant, call(event_id="evt_1"), call(event_id="evt_1", tool="x")) == (
        2,
        1,
        [],
    )
    assert await taken(tenant, call(event_id="evt_1", duration_ms=99)) == (1, 1, [])
    assert await count(sql, tenant) == 1


async def test_content_tells_a_repeat_whatever_its_order(tenant: Tenant, sql: Sql) -> None:
    event = call(data={"b": 1, "a": {"d": [1, {"f": 1, "e": 2}], "c": 2}})
    turned = {name: event[name] for name in reversed(event)}
    turned["data"] = {"a": {"c": 2, "d": [1, {"e": 2, "f": 1}]}, "b": 1}
    assert await taken(tenant, event) == (1, 0, [])
    assert await taken(tenant, turned, event | {"run_id": "another"}) == (2, 1, [])
    assert await count(sql, tenant) == 2


async def test_installations_and_organizations_do_not_share(
    tenant: Tenant, stranger: Tenant, sql: Sql
) -> None:
    event = call(event_id="evt_1")
    other = event | {"installation_id": "inst-other"}
    assert await taken(tenant, event, other) == (2, 0, [])
    assert await taken(stranger, event, other) == (2, 0, [])
    assert (await count(sql, tenant), await count(sql, stranger)) == (2, 2)


async def test_a_batch_sent_eight_times_at_once_is_stored_once(tenant: Tenant, sql: Sql) -> None:
    batch = [call(duration_ms=number) for number in range(50)]
    answers = await asyncio.gather(*(taken(tenant, *batch) for _ in range(8)))
    assert {accepted for accepted, _, _ in answers} == {50}
    assert sum(duplicates for _, duplicates, _ in answers) == 7 * 50
    assert await count(sql, tenant) == 50


async def test_overlapping_batches_of_many_installations_at_once(tenant: Tenant, sql: Sql) -> None:
    events = [call(installation_id=f"inst-{number % 40}", ts=at(-number)) for number in range(120)]
    batches = [random.sample(events, 60) for _ in range(12)]
    answers = await asyncio.gather(*(taken(tenant, *batch) for batch in batches))
    different = len({event["session_id"] for batch in batches for event in batch})
    assert sum(accepted - repeated for accepted, repeated, _ in answers) == different
    assert await count(sql, tenant) == different


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_halves_in_one_batch_are_one_row(
    tenant: Tenant, sql: Sql, order: tuple[int, int]
) -> None:
    both = halves()
    assert await taken(tenant, *(both[place] for place in order)) == (2, 1, [])
    (row,) = await rows(sql, tenant)
    assert "evt_" in row["payload"], "the half that tells more is kept"
    assert await taken(tenant, *both) == (2, 2, [])
    assert await count(sql, tenant) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_halves_in_two_batches_are_one_row_whichever_comes_first(
    tenant: Tenant, sql: Sql, order: tuple[int, int]
) -> None:
    both = halves(apart=-1.5)
    first, second = (both[place] for place in order)
    assert await taken(tenant, first) == (1, 0, [])
    assert await taken(tenant, second) == (1, 1, [])
    assert await taken(tenant, first, second) == (2, 2, [])
    assert await count(sql, tenant) == 1


async def test_halves_at_the_same_moment_are_one_row(tenant: Tenant, sql: Sql) -> None:
    pairs = [halves(duration_ms=number + 0.5) for number in range(20)]
    sent = [[event] for both in pairs for event in both]
    await asyncio.gather(*(taken(tenant, *batch) for batch in sent))
    assert await count(sql, tenant) == 20


async def test_a_resent_half_takes_its_other_half_along(tenant: Tenant, sql: Sql) -> None:
    named, half = halves()
    assert await taken(tenant, half) == (1, 0, [])
    assert await taken(tenant, named, half) == (2, 2, [])
    assert await count(sql, tenant) == 1


async def test_each_half_has_one_other(tenant: Tenant, sql: Sql) -> None:
    first, half = halves()
    second = first | {"event_id": "evt_second"}
    assert await taken(tenant, half) == (1, 0, [])
    assert await taken(tenant, first) == (1, 1, [])
    assert await taken(tenant, second) == (1, 0, []), "its half was married already"
    assert await taken(tenant, first, second, half) == (3, 3, [])
    assert await count(sql, tenant) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"ts": 2.5},
        {"duration_ms": 13},
        {"tool_name": "search"},
        {"installation_id": "inst-other"},
        {"event_id": "evt_other"},
    ],
    ids=str,
)
async def test_what_is_no_half_is_a_row_of_its_own(
    tenant: Tenant, sql: Sql, other: dict[str, Any]
) -> None:
    fields = dict(other)
    if "ts" in fields:
        fields["ts"] = at(fields["ts"])
    named = call(event_id="evt_one")
    assert await taken(tenant, named) == (1, 0, [])
    assert await taken(tenant, call(ts=named["ts"], session_id="s") | fields) == (1, 0, [])
    assert await count(sql, tenant) == 2


async def test_calls_of_newer_clients_are_never_halves(tenant: Tenant, sql: Sql) -> None:
    same = [call(duration_ms=0) for _ in range(5)]
    assert await taken(tenant, *same) == (5, 0, [])
    assert await taken(tenant, *[call(duration_ms=0) for _ in range(5)]) == (5, 0, [])
    assert await count(sql, tenant) == 10


async def test_yesterdays_events_are_known_for_a_day(tenant: Tenant, sql: Sql) -> None:
    event, both = call(), halves(duration_ms=7)
    await taken(tenant, event, both[0])
    await age(sql, tenant, 20)
    assert await taken(tenant, event) == (1, 1, [])
    assert await taken(tenant, both[1]) == (1, 1, [])
    assert await count(sql, tenant) == 2


async def test_after_a_day_it_is_news(tenant: Tenant, sql: Sql) -> None:
    timeless = {"event_type": "install_complete", "os_platform": "linux"}
    await taken(tenant, timeless)
    await age(sql, tenant, 25)
    assert await taken(tenant, timeless) == (1, 0, [])
    assert await count(sql, tenant) == 2


async def test_what_is_sent_day_after_day_stays_known(tenant: Tenant, sql: Sql) -> None:
    event, timeless = call(), {"event_type": "install_complete"}
    await taken(tenant, event, timeless)
    await age(sql, tenant, 20)
    assert await taken(tenant, event, timeless) == (2, 2, [])
    known = "SELECT count(*) FROM learnings.telemetry_seen WHERE org_id = $1"
    assert await sql.fetchval(known, tenant.org) == 3, "what has a time of its own is renewed"


async def test_control_characters_and_quotes_are_stored_as_sent(tenant: Tenant, sql: Sql) -> None:
    odd = 'a\n"b"\t\\c {d},é\U0001f4a3'
    await taken(tenant, call(phase=odd, note=odd, attributes={odd: odd}))
    (row,) = await rows(sql, tenant)
    assert row["phase"] == odd
    found = await sql.fetchrow(
        "SELECT payload ->> 'note' AS note, attributes ->> $2 AS attribute"
        "  FROM learnings.telemetry_event WHERE org_id = $1",
        tenant.org,
        odd,
    )
    assert found is not None
    assert (found["note"], found["attribute"]) == (odd, odd)
