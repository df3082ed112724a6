"""What a learning costs: ``make bench-learnings``.

Starts PostgreSQL and the learnings service as a process, with its relay, and asks it directly
with the gateway's assertion. Measures the CPU that the service (and PostgreSQL) burn per request
with 16 requests under way, in an organization of 1,000 and in one of 1,000,000 learnings, and how
long single lists take there. Measures, judges nothing: machines differ, ratios hold.

    python -m bench.learnings [--rows 1000000] [--requests 4000] [--no-lists]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import asyncpg
import uvloop

from bench.service import (
    CONNECTIONS,
    Cost,
    ask,
    cost_of,
    database_server,
    drive,
    head,
    loop_ns,
    make_database,
    running,
    say,
    with_body,
)
from guildhall.embedded.server import EmbeddedPostgres
from shared.principal import Kind, Principal
from tests.services.learnings.rows import fill
from tests.services.learnings.vocabulary import COMMON, Writer

FEW: Final = 1_000

DETAIL: Final = "What was seen, why it happened and what to do about it. " * 12
"""About 700 characters, as learnings have."""

LISTS: Final[tuple[dict[str, str], ...]] = (
    {},
    {"page_size": "200"},
    {"page": "4"},
    {"page": "10000"},
    {"page": "20000"},
    {"status": "active"},
    {"status": "active", "page": "10000"},
    {"status": "archived"},
    {"type": "decision"},
    {"type": "incident"},
    {"source_project": "0" * 13 + "050"},
    {"origin_project": "git:" + "0" * 14 + "04"},
    {"tag": "all"},
    {"tag": "tenth3"},
    {"tag": "thousandth7"},
    {"tag": "nowhere"},
    {"q": "learning"},
    {"q": "zebras"},
    {"q": "nothing like it"},
    {"min_impact": "0.5"},
    {"min_impact": "1"},
    {"sort": "impact"},
    {"sort": "impact", "status": "resolved"},
    {"sort": "impact", "tag": "thousandth7"},
    {"updated_since": "2001-01-01"},
    {"updated_since": "2100-01-01"},
    {"status": "resolved", "type": "decision"},
    {"status": "archived", "tag": "all"},
    {"status": "active", "tag": "thousandth7", "min_impact": "0.9"},
    {"type": "incident", "q": "zebras", "status": "obsolete"},
)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.learnings")
    parser.add_argument("--rows", type=int, default=1_000_000, help="in the large organization")
    parser.add_argument("--requests", type=int, default=4_000, help="per measurement")
    parser.add_argument("--no-lists", action="store_true", help="leave out the table of lists")
    arguments = parser.parse_args()
    with database_server() as server:
        uvloop.run(_measure(server, arguments))


async def _measure(server: EmbeddedPostgres, arguments: argparse.Namespace) -> None:
    results: dict[tuple[str, int], Cost] = {}
    lists: dict[int, list[float]] = {}
    searches: dict[int, dict[str, list[float]]] = {}
    for rows in (FEW, arguments.rows):
        urls = await make_database(server, f"bench{rows}", "learnings")
        await _fill(urls["learnings"], rows)
        pool = {"GUILDHALL_DATABASE_POOL_SIZE": str(CONNECTIONS)}
        async with running("learnings", urls, next(_get({})), **pool) as (port, process):
            for what, request in (("list of 50", _get({})), ("POST", _post())):
                await drive(port, request, arguments.requests // 4)
                results[what, rows] = await cost_of(
                    port, request, arguments.requests, process, server
                )
            searches[rows] = await _search_times(port)
            if not arguments.no_lists:
                lists[rows] = [await _latency(port, _get(query)) for query in LISTS]
    _print_costs(results, arguments.rows)
    _print_searches(searches)
    if lists:
        _print_lists(lists)


async def _fill(url: str, rows: int) -> None:
    started = time.monotonic()
    connection = await asyncpg.connect(url)
    try:
        await fill(connection, "org_bench", rows)
        await connection.execute("VACUUM ANALYZE learnings.learning", timeout=600)
    finally:
        await connection.close()
    say(f"filled {rows:,} learnings in {time.monotonic() - started:.0f} s")


def _head(method: str, path: str) -> bytes:
    person = Principal(Kind.USER, "usr_bench", "org_bench", "owner", ("*",), "ses", "usr_bench")
    return head("learnings", person, method, path)


def _get(query: dict[str, str]) -> Iterator[bytes]:
    path = "/v1/learnings" + ("?" + urlencode(query) if query else "")
    while True:
        # One assertion serves many requests, as one of the gateway could.
        request = _head("GET", path) + b"\r\n"
        for _ in range(500):
            yield request


def _post() -> Iterator[bytes]:
    number = 0
    # Real summaries differ: alike ones are looked at twice, as near duplicates.
    writer = Writer(os.getpid())
    while True:
        start = _head("POST", "/v1/learnings")
        for _ in range(500):
            number += 1
            body = json.dumps(
                {
                    "summary": writer.sentence(8, 14),
                    "detail": DETAIL,
                    "tags": ["network", "timeouts", "python"],
                    "impact": 0.7,
                    "source_learning_id": f"L-{number:x}-{os.urandom(4).hex()}",
                    "source_project": "0123456789abcdef",
                    "metadata": {"origin_project": "git:0123456789abcdef"},
                }
            ).encode()
            yield with_body(start, body)


async def _latency(port: int, requests: Iterator[bytes], times: int = 15) -> float:
    """Median milliseconds of one request after another."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        await ask(reader, writer, next(requests))
        taken.append(time.perf_counter() - started)
    writer.close()
    return statistics.median(taken) * 1e3


def _searches() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give searches of every kind in turn, none of them twice."""
    writer, chance = Writer(seed=2), random.Random(3)  # noqa: S311 - not a secret
    while True:
        rare = chance.choice(writer.words[2_000:])
        at = chance.randrange(1, len(rare) - 1)
        yield "a rare word", {"query": rare}
        yield "two words as they occur", {"query": writer.sentence(2, 2)}
        yield "common words", {"query": " ".join(chance.sample(COMMON[:40], 3))}
        yield "a slip of the pen", {"query": rare[:at] + rare[at + 1 :]}
        yield "a sentence", {"query": writer.sentence(12, 25)}
        yield "nothing like it", {"query": f"zzy{chance.randrange(10**6)}xq"}
        yield "blank", {"query": "", "min_impact": 0.5}
        tags = [f"thousandth{chance.randrange(1000)}"]
        yield "with a tag", {"query": writer.sentence(2, 3), "tags": tags}
        yield "with an impact", {"query": writer.sentence(2, 4), "min_impact": 0.7, "limit": 50}


async def _search_times(port: int, times: int = 450) -> dict[str, list[float]]:
    """Milliseconds of searches, one after another, by their kind."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    taken: dict[str, list[float]] = defaultdict(list)
    for number, (kind, body) in zip(range(-9, times), _searches(), strict=False):
        request = with_body(_head("POST", "/v1/learnings/search"), json.dumps(body).encode())
        started = time.perf_counter()
        await ask(reader, writer, request)
        if number >= 0:  # the first of each kind draw the sample and plan the statements
            taken[kind].append((time.perf_counter() - started) * 1e3)
    writer.close()
    return taken


TARGETS: Final = {"POST": 300, "list of 50": 400}


def _print_costs(results: dict[tuple[str, int], Cost], many: int) -> None:
    say("")
    say(f"a turn of an empty loop: {loop_ns():.0f} ns (30 to 40 on an idle machine of today)")
    columns = ("learnings", "service us", "target", "postgres us", "req/s")
    say(" " * 12 + "".join(f"{name:>13}" for name in columns))
    for (what, rows), cost in sorted(results.items()):
        say(
            f"{what:12}{rows:>13,}{cost.service:>13.0f}{TARGETS[what]:>13}"
            f"{cost.database:>13.0f}{cost.rate:>13.0f}"
        )
    for what in TARGETS:
        ratio = results[what, many].service / results[what, FEW].service
        say(f"{what}: {many:,} to {FEW:,} learnings = {ratio:.2f} (target for the list: 0.8-1.2)")


def _print_searches(searches: dict[int, dict[str, list[float]]]) -> None:
    say("")
    say("ms of one search: p50, p95, p99 (target at 1,000,000: p95 50)")
    for rows, kinds in searches.items():
        every = [one for times in kinds.values() for one in times]
        for kind, times in [*kinds.items(), ("all", every)]:
            parts = statistics.quantiles(times, n=100, method="inclusive")
            shown = "".join(f"{parts[at - 1]:>9.1f}" for at in (50, 95, 99))
            say(f"{rows:>10,}  {kind:26}{shown}")


def _print_lists(lists: dict[int, list[float]]) -> None:
    say("")
    say("median ms of one list  " + " ".join(f"{rows:>10,}" for rows in lists))
    for at, query in enumerate(LISTS):
        shown = urlencode(query) or "(all)"
        say(f"{shown[:60]:60} " + " ".join(f"{column[at]:>10.1f}" for column in lists.values()))


if __name__ == "__main__":
    main()
