"""What agents cost: ``make bench-agents``.

Starts PostgreSQL and the agents service as a process, with its worker and relay, and asks it
directly with the gateway's assertion. Measures how long it takes from a message to the answer of
the builtin provider, as a live stream tells it, alone and with 16 sessions talking at once; 1,000
sessions that all wait for a slow model at the same time; and lists of sessions among 1,000 and
among many. Measures, judges nothing: machines differ, ratios hold. Writes
docs/benchmarks/agents.md with ``--page``.

    python -m bench.agents [--sessions 1000000] [--requests 3000] [--page]
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import psutil
import uvloop

from bench.load_agents import Latencies, Model, Talker, create_sessions, say_in
from bench.machine import describe
from bench.process import resident
from bench.service import (
    CONNECTIONS,
    Clock,
    Cost,
    cost_of,
    database_server,
    drive,
    head,
    loop_ns,
    make_database,
    running,
    say,
)
from bench.table import Table, number, ratio
from guildhall.embedded.server import EmbeddedPostgres
from shared.principal import Kind, Principal, Role

FEW: Final = 1_000
OWN: Final = 500
"""Sessions of the caller, however many others there are."""

ALONE: Final = 300
TOGETHER: Final = 16
EACH: Final = 100
IN_FLIGHT: Final = 1_000
THINKING_S: Final = 20.0
PAGE: Final = Path(__file__).parent.parent / "docs/benchmarks/agents.md"

CALLER: Final = Principal(
    Kind.USER, "usr_bench", "org_bench", Role.PLATFORM_ADMIN, ("*",), "ses_bench", "usr_bench"
)


@dataclass(frozen=True, slots=True)
class Talk:
    """How turns went: how long each took, how many a second, and CPU of each in microseconds."""

    latencies: Latencies
    rate: float
    service: float
    database: float


@dataclass(frozen=True, slots=True)
class Crowd:
    """Many sessions at once: seconds until the last answer, how many waited at the model."""

    seconds: float
    at_once: int
    grown: float


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.agents")
    parser.add_argument("--sessions", type=int, default=1_000_000, help="in the large database")
    parser.add_argument("--requests", type=int, default=3_000, help="per measurement of lists")
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks/agents.md")
    arguments = parser.parse_args()
    with database_server() as server:
        uvloop.run(_measure(server, arguments))


async def _measure(server: EmbeddedPostgres, arguments: argparse.Namespace) -> None:
    urls = await make_database(server, "benchtalk", "agents")
    await _know(urls["agents"])
    pool = {"GUILDHALL_DATABASE_POOL_SIZE": str(CONNECTIONS)}
    async with running("agents", urls, _probe(), **pool) as (port, process):
        alone = await _talk(port, process, server, talkers=1, messages=ALONE)
        together = await _talk(port, process, server, talkers=TOGETHER, messages=EACH)
        crowd = await _crowd(port, process, urls["agents"], "builtin")
    async with Model.opened(THINKING_S) as model:
        slow = {
            **pool,
            "GUILDHALL_AGENTS_OPENAI_URL": model.url,
            "GUILDHALL_AGENTS_MODEL_CONCURRENCY": str(IN_FLIGHT),
            # One namespace gets three quarters of the places.
            "GUILDHALL_AGENTS_TURNS": str(IN_FLIGHT * 3 // 2),
        }
        async with running("agents", urls, _probe(), **slow) as (port, process):
            waiting = await _crowd(port, process, urls["agents"], "openai/slow", model)
    say(f"talked: p95 {alone.latencies.at(95):.0f} and {together.latencies.at(95):.0f} ms")
    lists: dict[tuple[str, int], Cost] = {}
    for sessions in (FEW, arguments.sessions):
        urls = await make_database(server, f"bench{sessions}", "agents")
        await _know(urls["agents"])
        await _fill(urls["agents"], sessions)
        quiet = {**pool, "GUILDHALL_SERVE_BACKGROUND": "0"}
        async with running("agents", urls, _probe(), **quiet) as (port, process):
            for what, requests in _lists():
                await drive(port, requests, arguments.requests // 4)
                lists[what, sessions] = await cost_of(
                    port, requests, arguments.requests, process, server
                )
    _report({"one session": alone, "16 sessions": together}, crowd, waiting, lists, arguments)


async def _know(url: str) -> None:
    """Let the service know what people hold without asking auth, which is not there."""
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE agents.access_copy SET standings = '{}', taken_at = now()")
    await connection.close()


def _probe() -> bytes:
    return head("agents", CALLER, "GET", "/api/v0/version") + b"\r\n"


# Turns.


async def _talk(
    port: int, process: psutil.Process, server: EmbeddedPostgres, *, talkers: int, messages: int
) -> Talk:
    """Let so many sessions talk at once, each waiting for the answer before it goes on."""
    ids = await create_sessions(port, CALLER, talkers, "builtin")
    async with asyncio.TaskGroup() as opening:
        tasks = [opening.create_task(Talker.opened(port, CALLER, one)) for one in ids]
    each = [task.result() for task in tasks]
    for talker in each:
        await talker.ask("warm")
    with Clock(process, server) as clock:
        found = await asyncio.gather(*(_conversation(talker, messages) for talker in each))
        wall = clock.wall()
    for talker in each:
        talker.close()
    count = talkers * messages
    service, database = clock.taken
    latencies = Latencies([one for many in found for one in many])
    return Talk(latencies, count / wall, service / count * 1e6, database / count * 1e6)


async def _conversation(talker: Talker, messages: int) -> list[float]:
    return [await talker.ask(f"What do you say to the {n}th question?") for n in range(messages)]


async def _crowd(
    port: int, process: psutil.Process, url: str, model: str, waited: Model | None = None
) -> Crowd:
    """Say something in 1,000 sessions, and wait until all have been answered."""
    ids = await create_sessions(port, CALLER, IN_FLIGHT, model)
    before = resident(process.pid)
    started = time.perf_counter()
    await say_in(port, CALLER, ids)
    connection = await asyncpg.connect(url)
    try:
        answered, deadline = 0, started + 300
        while answered < IN_FLIGHT and time.perf_counter() < deadline:
            answered = await connection.fetchval(
                """
                SELECT count(*) FROM agents.message
                 WHERE session_id = ANY($1::uuid[]) AND role = 'AGENT'
                """,
                ids,
            )
            await asyncio.sleep(0.05)
    finally:
        await connection.close()
    if answered < IN_FLIGHT:
        raise SystemExit(f"only {answered} of {IN_FLIGHT} sessions were answered")
    seconds = time.perf_counter() - started
    grown = (resident(process.pid) - before) / IN_FLIGHT / 1024
    return Crowd(seconds, waited.most if waited is not None else 0, grown)


# Lists.


async def _fill(url: str, sessions: int) -> None:
    started = time.monotonic()
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            """
            INSERT INTO agents.agent (id, namespace, name, model)
            SELECT gen_random_uuid(), 'bench', 'agent-' || n, 'builtin'
              FROM generate_series(1, 10) AS n
            """
        )
        for first in range(1, sessions + 1, 50_000):
            await connection.execute(
                """
                INSERT INTO agents.session (id, namespace, name, state, owner_type, owner_id,
                                            created_by, created_at)
                SELECT gen_random_uuid(), 'space-' || n % 10, 'session-' || n, 'IDLE', 'User', who,
                       who, now() - make_interval(secs => n)
                  FROM generate_series($1::int, $2::int) AS n,
                       LATERAL (SELECT CASE WHEN n % ($4::int / $3::int) = 0 THEN 'usr_bench'
                                            ELSE 'usr_' || n % 5000 END) AS w (who)
                """,
                first,
                min(first + 49_999, sessions),
                OWN,
                sessions,
                timeout=600,
            )
        await connection.execute(
            """
            INSERT INTO agents.session_agent (session_id, position, agent_id)
            SELECT s.id, 0, a.id FROM agents.session s,
                   LATERAL (SELECT id FROM agents.agent LIMIT 1) AS a
             WHERE s.owner_id = 'usr_bench'
            """
        )
        await connection.execute("VACUUM ANALYZE", timeout=600)
    finally:
        await connection.close()
    say(f"filled {sessions:,} sessions in {time.monotonic() - started:.0f} s")


def _list(query: str) -> Iterator[bytes]:
    while True:
        request = head("agents", CALLER, "GET", f"/api/v0/sessions?{query}") + b"\r\n"
        for _ in range(20):  # one assertion serves many requests, as one of the gateway does
            yield request


def _lists() -> Sequence[tuple[str, Iterator[bytes]]]:
    return (
        ("own, 50 of them", _list("limit=50")),
        ("own, page 5", _list("limit=50&page=5")),
        ("own and IDLE", _list("limit=50&state=IDLE")),
        ("of everybody", _list("limit=50&created_by=*")),
        ("of a namespace", _list("limit=50&created_by=*&namespace=space-7")),
    )


# Telling.


def _report(
    talks: dict[str, Talk],
    crowd: Crowd,
    waiting: Crowd,
    lists: dict[tuple[str, int], Cost],
    arguments: argparse.Namespace,
) -> None:
    turns = Table(("talking", "p50 ms", "p95 ms", "a second", "service us", "PostgreSQL us"))
    for what, talk in talks.items():
        spread = (number(talk.latencies.at(50), 1), number(talk.latencies.at(95), 1))
        costs = (number(talk.rate), number(talk.service), number(talk.database))
        turns.rows.append((what, *spread, *costs))
    listed = Table(("list", "sessions", "service us", "PostgreSQL us", "a second", "of few"))
    for (what, sessions), cost in lists.items():
        few = lists[what, FEW]
        both = ratio(cost.service + cost.database, few.service + few.database)
        figures = (number(cost.service), number(cost.database), number(cost.rate), both)
        listed.rows.append((what, number(sessions), *figures))
    lines = (
        "from sending a message to being told the answer by the session's stream (target p95 150)",
        f"{IN_FLIGHT:,} sessions spoken to at once, builtin provider: all answered after "
        f"{crowd.seconds:.1f} s",
        f"{IN_FLIGHT:,} sessions spoken to at once, a model that takes {THINKING_S:.0f} s: "
        f"{waiting.at_once:,} waited there at the same time, all answered after "
        f"{waiting.seconds:.1f} s, {waiting.grown:.0f} KiB of the service each",
        f"a turn of an empty loop: {loop_ns():.0f} ns (30 to 40 on an idle machine of today)",
    )
    say("\n" + turns.text() + "\n\n" + listed.text() + "\n")
    for line in lines:
        say(line)
    if arguments.page:
        bullets = "\n".join(f"- {line}" for line in lines)
        PAGE.write_text(
            f"# What agents cost\n\n`make bench-agents` on {describe()}.\n\n"
            f"{turns.markdown()}\n\n{listed.markdown()}\n\n{bullets}\n"
        )


if __name__ == "__main__":
    main()
