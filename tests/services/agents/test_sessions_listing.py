"""Listing sessions (agents contract, sections 2, 4.5, 7, 9.1 and 9.13)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.agents.sessions.models import Filters
from services.agents.sessions.operations import Totals
from services.agents.sessions.operations.listing import AT_ONCE
from shared.principal import Principal
from tests.services.agents import agents_support
from tests.services.agents.agents_support import (
    Statements,
    at,
    most_rows,
    said,
    statements,
)
from tests.services.agents.conftest import Agents, new_name, rule, running
from tests.services.agents.sessions_support import (
    STATES,
    hold,
    listed,
    make,
    put_into,
    read,
)
from tests.support.postgres import DatabaseServer

__all__ = ["statements"]


async def made(agents: Agents, principal: Principal, namespace: str, count: int = 1) -> list[str]:
    """Make sessions, and give their ids, the newest first."""
    ids = [(await make(agents, principal, namespace))["id"] for _ in range(count)]
    return ids[::-1]


async def test_ones_own_are_listed_newest_first(agents: Agents, namespace: str) -> None:
    other = new_name("ns")
    dev = await agents.robot("developer", namespace=namespace)
    await agents.bind("developer", dev, other)
    neighbour = await agents.robot("developer", namespace=namespace)
    await made(agents, neighbour, namespace)
    ids = await made(agents, dev, namespace, 3)
    ids = [*await made(agents, dev, other), *ids]
    assert await listed(agents, dev) == ids
    assert await listed(agents, dev, namespace=namespace) == ids[1:]
    assert await listed(agents, dev, workspace=other) == ids[:1]
    assert await listed(agents, dev, space=other) == ids[:1]
    assert await listed(agents, dev, namespace=new_name("ns")) == []
    for own in (dev.subject, (await read(agents, dev, ids[0]))["created_by"], ""):
        assert await listed(agents, dev, created_by=own) == ids
    answer = await agents.get("sessions", dev)
    assert answer.json()[0] == await read(agents, dev, ids[0])
    assert answer.headers["x-total-count"] == "4"


async def test_ones_own_need_no_permission(agents: Agents, namespace: str) -> None:
    nobody = await agents.robot()
    assert await listed(agents, nobody) == []
    dev = await agents.robot()
    binding = await agents.bind("developer", dev, namespace)
    ids = await made(agents, dev, namespace)
    await agents.sql.execute("DELETE FROM agents.role_binding WHERE id = $1", binding)
    agents.forget()
    assert await listed(agents, dev) == ids
    assert await listed(agents, dev, namespace=namespace) == ids


async def test_who_may_list_all_sees_all_when_asking(agents: Agents, namespace: str) -> None:
    other = new_name("ns")
    dev = await agents.robot("developer", namespace=namespace)
    theirs = await made(agents, dev, namespace, 2)
    name = (await read(agents, dev, theirs[0]))["created_by"]
    lister = await agents.holding(rule("sessions", "create list-all"), namespace=namespace)
    own = await made(agents, lister, namespace)
    hidden = await agents.robot("developer", namespace=other)
    await agents.bind("developer", dev, other)
    await made(agents, hidden, other)
    elsewhere = await made(agents, dev, other)
    assert await listed(agents, lister) == own
    assert await listed(agents, lister, created_by="*") == own + theirs
    assert await listed(agents, lister, created_by="*", namespace=namespace) == own + theirs
    assert await listed(agents, lister, created_by=name) == theirs
    assert await listed(agents, lister, created_by="nobody-of-that-name") == []
    answer = await agents.get("sessions", lister, params={"created_by": "*", "namespace": other})
    assert said(answer) == (403, "Insufficient permissions")
    admin = await agents.robot("admin")
    assert await listed(agents, admin, created_by=name) == elsewhere + theirs
    assert await listed(agents, admin, created_by=name, namespace=other) == elsewhere
    assert set(theirs + own + elsewhere) <= set(await listed(agents, admin, created_by="*"))


@pytest.mark.parametrize("asked", ["*", "somebody"])
async def test_who_may_not_list_all_is_told_so(agents: Agents, namespace: str, asked: str) -> None:
    dev = await agents.robot("developer", namespace=namespace)
    for query in ({}, {"namespace": namespace}, {"namespace": new_name("ns")}):
        answer = await agents.get("sessions", dev, params={"created_by": asked} | query)
        assert said(answer) == (403, "Insufficient permissions")


async def test_a_namesake_lists_nothing(agents: Agents, namespace: str) -> None:
    robot = await agents.robot("developer", namespace=namespace, name=(name := new_name("alice")))
    ids = await made(agents, robot, namespace)
    subject = agents.subject(name)
    await agents.bind("developer", subject, namespace)
    assert await listed(agents, subject) == []
    assert await listed(agents, subject, created_by=name) == []
    mine = await made(agents, subject, namespace)
    assert await listed(agents, subject) == mine
    assert await listed(agents, robot, created_by=name) == ids


async def test_states_are_those_that_are_shown(agents: Agents, namespace: str) -> None:
    dev = await agents.robot("developer", namespace=namespace)
    admin = await agents.robot("admin")
    ids = {}
    for state in STATES:
        (ids[state],) = await made(agents, dev, namespace)
        await put_into(agents, ids[state], state)
    (held,) = await made(agents, dev, namespace)
    await hold(agents, held)
    for state in STATES:
        wanted = [held, ids["BUSY"]] if state == "BUSY" else [ids[state]]
        for word in (state, state.lower(), state.capitalize()):
            assert await listed(agents, dev, state=word) == wanted
            assert await listed(agents, dev, state=word, namespace=namespace) == wanted
            everybodys = {"created_by": "*", "namespace": namespace, "state": word}
            answer = await agents.get("sessions", admin, params=everybodys)
            assert [item["id"] for item in answer.json()] == wanted
            assert answer.headers["x-total-count"] == str(len(wanted))
    assert await listed(agents, dev, state="closed") == [ids["IDLE"]]
    assert await listed(agents, dev, state="errored") == [ids["ERROR"]]
    assert await listed(agents, dev, state="idle", space=namespace) == [ids["READY"]]
    assert await listed(agents, dev, state="") == [held, *list(ids.values())[::-1]]
    await agents.sql.execute(
        "UPDATE agents.session SET busy_until = now() - interval '1 second' WHERE id = $1",
        UUID(held),
    )
    assert await listed(agents, dev, state="READY") == [held, ids["READY"]]


@pytest.mark.parametrize("state", ["STARTED", "x" * 255, "ready,idle", "DELETED"])
async def test_a_state_that_is_none_is_a_bad_request(agents: Agents, state: str) -> None:
    answer = await agents.get("sessions", await agents.robot(), params={"state": state})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page", "0"),
        ("page", "x"),
        ("limit", "0"),
        ("limit", "201"),
        ("namespace", "x" * 256),
        ("created_by", "x" * 321),
        ("state", "\x00"),
    ],
)
async def test_a_wrong_query_is_named(agents: Agents, name: str, value: str) -> None:
    answer = await agents.get("sessions", await agents.robot(), params={name: value})
    assert at(answer)[0] == ["query", name]


async def test_pages(agents: Agents, namespace: str) -> None:
    dev = await agents.robot("developer", namespace=namespace)
    ids = await made(agents, dev, namespace, 5)
    for number, state in enumerate((*STATES,)):
        await put_into(agents, ids[number], state)
    for page in range(1, 5):
        query = {"namespace": namespace, "page": page, "limit": 2}
        answer = await agents.get("sessions", dev, params=query)
        assert [item["id"] for item in answer.json()] == ids[page * 2 - 2 : page * 2]
        assert answer.headers["x-total-count"] == "5"
        rels = {part.split('rel="')[1][:-1] for part in answer.headers["link"].split(", ")}
        wanted = {"first", "last"} | ({"prev"} if page > 1 else set())
        assert rels == wanted | ({"next"} if page < 3 else set())
        assert f"namespace={namespace}" in answer.headers["link"]


async def test_deleted_sessions_are_not_listed(agents: Agents, namespace: str) -> None:
    dev = await agents.robot("developer", namespace=namespace)
    ids = await made(agents, dev, namespace, 2)
    assert (await agents.delete(f"sessions/{ids[0]}", dev)).status_code == 204
    assert await listed(agents, dev) == ids[1:]
    assert (
        await listed(agents, await agents.robot("admin"), created_by="*", namespace=namespace)
        == ids[1:]
    )


MANY = 20_000


@pytest.fixture(scope="module")
async def crowded(database_server: DatabaseServer) -> AsyncIterator[Agents]:
    """The service with many sessions, most of them of one owner and in one namespace."""
    async with database_server.clone() as urls, running(urls) as agents:
        await agents.prepare()
        await agents.sql.execute(
            """
            INSERT INTO agents.session (id, namespace, name, owner_type, owner_id, created_by,
                                        state, created_at, terminated_at, busy_until, deleted_at)
            SELECT gen_random_uuid(), CASE WHEN n % 3 > 0 THEN 'crowd' ELSE 'ns-' || n % 300 END,
                   'session', 'User', 'usr_' || CASE WHEN n % 4 > 0 THEN 'busy' ELSE n % 500 || ''
                   END, 'usr_' || CASE WHEN n % 4 > 0 THEN 'busy' ELSE n % 500 || '' END,
                   CASE WHEN n % 1000 = 1 THEN 'ERROR' WHEN n % 1000 = 2 THEN 'BUSY'
                        WHEN n % 2 = 0 THEN 'IDLE' ELSE 'READY' END,
                   now() - n * interval '1 minute', CASE WHEN n % 1000 = 1 THEN now() END,
                   CASE WHEN n % 5000 = 3 THEN now() + interval '1 hour'
                        WHEN n % 7 = 0 THEN now() - interval '1 hour' END,
                   CASE WHEN n % 10 = 9 THEN now() END
              FROM generate_series(1, $1) AS n
            """,
            MANY,
        )
        await agents.sql.execute("VACUUM ANALYZE agents.session")
        yield agents


def rows_of(nodes: list[dict[str, Any]]) -> int:
    """Give how many rows a plan touched, by whatever way."""
    read = [node for node in nodes if "Relation Name" in node]
    return sum(
        int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in read
    )


async def asked(
    agents: Agents, noted: Statements, principal: Principal, **query: Any
) -> httpx.Response:
    """Ask once to fill caches, then note what is asked of the database."""
    await agents.get("sessions", principal, params=query)
    agents.resources[Totals].forget()
    noted.seen.clear()
    answer = await agents.get("sessions", principal, params=query)
    assert answer.status_code == 200, answer.text
    return answer


QUERIES = [
    dict(zip(("created_by", "namespace", "state"), values, strict=True))
    for values in product(("", "*", "usr_busy", "usr_4"), ("", "crowd", "ns-3"), ("", *STATES))
]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: "-".join(query.values()) or "own")
async def test_a_page_reads_hardly_more_than_it_shows(
    crowded: Agents, statements: Statements, query: dict[str, str]
) -> None:
    org, _ = await crowded.organization()
    busy = crowded.person(org, "platform_admin", "usr_busy")
    answer = await asked(crowded, statements, busy, limit="20", **query)
    seen = statements.of("session")
    assert len(seen) <= 2
    total = int(answer.headers["x-total-count"])
    page, count = await statements.plans(crowded.sql, "session")
    # Of each of the states a page, and the page itself once more by its ids.
    assert most_rows(page, "session") <= 7 * 20 + 30
    # Where every second row counts, reading one after the other is as good as an index.
    assert rows_of(count) <= 2.5 * total + 250


async def test_ten_thousand_are_not_counted_again(crowded: Agents, statements: Statements) -> None:
    org, _ = await crowded.organization()
    admin = crowded.person(org, "platform_admin")
    first = await asked(crowded, statements, admin, limit="20", created_by="*")
    counted = len(statements.of("session"))
    statements.seen.clear()
    again = await crowded.get("sessions?limit=20&created_by=*", admin)
    assert len(statements.of("session")) == counted - 1
    assert again.headers["x-total-count"] == first.headers["x-total-count"] == "10000"
    assert again.content == first.content
    other = await crowded.get("sessions?limit=20&created_by=*&state=ERROR", admin)
    assert 0 < int(other.headers["x-total-count"]) < 100


async def test_what_is_full_is_counted_anew_in_time(crowded: Agents) -> None:
    now = 0.0
    totals = Totals(lambda: now)
    everything = Filters(None, None, None, None)
    assert await totals.count(crowded.sql, everything) == 10_000
    transaction = crowded.sql.transaction()
    await transaction.start()
    await crowded.sql.execute("DELETE FROM agents.session WHERE namespace = 'crowd'")
    assert await totals.count(crowded.sql, everything) == 10_000
    now = 31.0
    assert await totals.count(crowded.sql, everything) < 10_000
    await transaction.rollback()


async def test_many_namespaces_are_merged(crowded: Agents, statements: Statements) -> None:
    lister = await crowded.robot()
    role = await crowded.role(rule("sessions", "list-all"))
    for number in range(0, 30, 3):
        await crowded.bind(role, lister, f"ns-{number}")
    answer = await asked(crowded, statements, lister, created_by="*", limit="20", page="2")
    items = answer.json()
    assert len(items) == 20
    wanted = await crowded.sql.fetch(
        """
        SELECT id FROM agents.session WHERE namespace = ANY($1::text[]) AND deleted_at IS NULL
         ORDER BY created_at DESC, id DESC LIMIT 20 OFFSET 20
        """,
        [f"ns-{number}" for number in range(0, 30, 3)],
    )
    assert [item["id"] for item in items] == [str(row["id"]) for row in wanted]
    page, _ = await statements.plans(crowded.sql, "session")
    assert most_rows(page, "session") <= 10 * 5 * 40 + 30


async def test_a_list_asks_as_often_however_long_it_is(
    agents: Agents, statements: Statements, namespace: str
) -> None:
    dev = await agents.robot("developer", namespace=namespace)
    one = await agents_support.make(agents, dev, namespace)
    two = await agents_support.make(agents, dev, namespace)
    counts = []
    for _ in range(3):
        for chosen in ([], [one["id"]], [two["id"], one["id"]]):
            await make(agents, dev, namespace, agent_ids=chosen)
        answer = await asked(agents, statements, dev, namespace=namespace)
        counts.append((len(answer.json()), len(statements.seen)))
        shown = [[agent["id"] for agent in item["agents"]] for item in answer.json()]
        assert shown[:3] == [[two["id"], one["id"]], [one["id"]], []]
    assert [length for length, _ in counts] == [3, 6, 9]
    assert len({asked for _, asked in counts}) == 1


async def test_a_list_of_large_sessions_is_given_in_pieces(
    agents: Agents, statements: Statements, namespace: str
) -> None:
    dev = await agents.robot("developer", namespace=namespace)
    ids = await made(agents, dev, namespace, 60)
    await agents.sql.execute(
        """
        UPDATE agents.session SET metadata = json_build_object('x', repeat('y', 65000)),
               starting_prompt = repeat('é', 65535)
         WHERE namespace = $1
        """,
        namespace,
    )
    answer = await asked(agents, statements, dev)
    items = answer.json()
    assert [item["id"] for item in items] == ids
    assert all(len(item["starting_prompt"]) == 65_535 for item in items)
    each = 2 * 65_535 + 65_000
    assert 60 * each / AT_ONCE < len(statements.of("session")) <= 60 * each / AT_ONCE + 4
