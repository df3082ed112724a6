"""What teams cost: ``make bench-teams``.

Starts PostgreSQL and the teams service as a process, with its relay, and asks it directly with the
gateway's assertion. Measures head polls and pushes (CPU of the service and of PostgreSQL, and how
many a second, with 16 under way) among 1,000 and among many teams, how long until 1,000 sockets of
one team have been told of a push, and what an idle socket takes of memory. Measures, judges
nothing: machines differ, ratios hold. Writes docs/benchmarks/teams.md with ``--page``.

    python -m bench.teams [--teams 100000] [--requests 4000] [--sockets 10000] [--page]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import uvloop

from bench.machine import describe
from bench.process import resident
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
from bench.table import Table, number
from guildhall.embedded.server import EmbeddedPostgres
from services.teams.teams.models import Content, Member
from services.teams.teams.rules import hashes_of, members_json
from shared.principal import Kind, Principal
from shared.secret import encode_base64url

FEW: Final = 1_000
LISTENERS: Final = 1_000
FAN_OUTS: Final = 20
EACH: Final = 20
"""Sockets of one machine: the most that it may have."""

SETTLING: Final = 1.5
PAGE: Final = Path(__file__).parent.parent / "docs/benchmarks/teams.md"

MEMBERS: Final = tuple(
    Member(f"member-{n}", "Keeps one part of the system", soul="You look after a part. " * 40)
    for n in range(4)
)


def token_of(index: int) -> str:
    """Name the machine of a team; no such key exists, the gateway would have checked it."""
    return "trc_ak_" + encode_base64url(index.to_bytes(32))


def team_of(index: int) -> str:
    """Give the id of a team."""
    return f"{index:08x}-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class FanOut:
    """Milliseconds from a push to the first and the last of the sockets that were told."""

    first: float
    last: float


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.teams")
    parser.add_argument("--teams", type=int, default=100_000, help="in the large database")
    parser.add_argument("--requests", type=int, default=4_000, help="per measurement")
    parser.add_argument("--sockets", type=int, default=10_000, help="that are idle at once")
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks/teams.md")
    arguments = parser.parse_args()
    with database_server() as server:
        uvloop.run(_measure(server, arguments))


async def _measure(server: EmbeddedPostgres, arguments: argparse.Namespace) -> None:
    costs: dict[tuple[str, int], Cost] = {}
    for teams in (FEW, arguments.teams):
        urls = await make_database(server, f"bench{teams}", "teams")
        await _fill(urls["teams"], teams, max(LISTENERS, arguments.sockets) // EACH + 1)
        pool = {"GUILDHALL_DATABASE_POOL_SIZE": str(CONNECTIONS)}
        async with running("teams", urls, next(_heads(1)), **pool) as (port, process):
            for what, requests in _requests(teams):
                await drive(port, requests, arguments.requests // 4)
                costs[what, teams] = await cost_of(
                    port, requests, arguments.requests, process, server
                )
            if teams == FEW:
                told = await _fan_outs(port)
        if teams == FEW:
            # Each in a process of its own: what an earlier one gave back would be used again.
            idle = [
                await _memory(urls, topic, arguments.sockets)
                for topic in ("-", f"knowledge:{team_of(1)}")
            ]
    _report(costs, told, idle, arguments)


# Filling.


async def _fill(url: str, teams: int, members: int) -> None:
    started = time.monotonic()
    hashes = hashes_of(Content("Bench", MEMBERS, knowledge=""))
    connection = await asyncpg.connect(url)
    digests = (b"m" * 32, b"s" * 32, b"k" * 32)
    try:
        for first in range(1, teams + 1, 10_000):
            indexes = range(first, min(first + 10_000, teams + 1))
            await connection.execute(
                """
                INSERT INTO teams.team (id, name, members, knowledge, hash, members_hash,
                    skills_hash, knowledge_hash, members_part, skills_part, knowledge_part, version)
                SELECT id, 'Bench', $2, '', $3, $4, $5, $6, $7, $8, $9, 1
                  FROM unnest($1::uuid[]) AS id
                """,
                [team_of(index) for index in indexes],
                members_json(MEMBERS),
                hashes.hash,
                hashes.members_hash,
                hashes.skills_hash,
                hashes.knowledge_hash,
                *digests,
                timeout=600,
            )
            await connection.executemany(
                "INSERT INTO teams.membership (token, team_id) VALUES ($1, $2)",
                [(token_of(index), team_of(index)) for index in indexes],
            )
        # Team 1 has as many members as it takes for all who listen or are idle.
        await connection.executemany(
            "INSERT INTO teams.membership (token, team_id) VALUES ($1, $2)",
            [
                (token_of(teams + listener), team_of(1))
                for listener in range(1, LISTENERS // 10 + 1)
            ],
        )
        await connection.execute("VACUUM ANALYZE", timeout=600)
    finally:
        await connection.close()
    say(f"filled {teams:,} teams in {time.monotonic() - started:.0f} s")


# Requests.


def _machine(index: int) -> Principal:
    return Principal(Kind.MACHINE, token_of(index))


def _heads(teams: int) -> Iterator[bytes]:
    chance = random.Random(1)  # noqa: S311 - not a secret
    while True:
        index = chance.randint(1, min(teams, 50_000))
        path = f"/api/teams/{token_of(index)}/head"
        request = head("teams", _machine(index), "GET", path) + b"\r\n"
        for _ in range(20):  # one assertion serves many requests, as one of the gateway does
            yield request


def _signed(index: int, path: str, body: dict[str, object]) -> bytes:
    start = head("teams", _machine(index), "POST", path)
    start += b"x-trc-signature: %b\r\n" % encode_base64url(os.urandom(64)).encode()
    return with_body(start, json.dumps(body).encode())


def _pushes(teams: int) -> Iterator[bytes]:
    chance = random.Random(2)  # noqa: S311 - not a secret
    while True:
        index = chance.randint(1, teams)
        content = f"- {secrets.token_hex(24)}: what one of us has learned today"
        yield _signed(index, "/api/teams/knowledge", {"content": content})


def _pushes_of_one(teams: int) -> Iterator[bytes]:
    while True:
        content = f"- {secrets.token_hex(24)}: what one of us has learned today"
        yield _signed(1, "/api/teams/knowledge", {"content": content})


def _requests(teams: int) -> Sequence[tuple[str, Iterator[bytes]]]:
    found = [("head", _heads(teams)), ("push, many teams", _pushes(teams))]
    return found if teams > FEW else [*found, ("push, one team", _pushes_of_one(teams))]


# Sockets.


class _Listeners:
    """``bench.load_sockets`` as a process."""

    def __init__(self, port: int, indexes: Sequence[int], topic: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="guildhall-bench-")
        file = Path(self._folder.name) / "tokens"
        file.write_text("\n".join(token_of(index) for index in indexes) + "\n")
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "bench.load_sockets", str(port), str(file), topic],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.standing = int(self._line()[1])

    def __enter__(self) -> _Listeners:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def told(self) -> list[str]:
        """Wait until all have been told; give how many, when, and how many hashes."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> list[str]:
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        if not words:
            raise SystemExit("the sockets have gone")
        return words


async def _fan_outs(port: int) -> list[FanOut]:
    """Push by HTTP and see when 1,000 sockets of other machines of the team have been told."""
    found = []
    indexes = [FEW + 1 + listener // EACH for listener in range(LISTENERS)]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with _Listeners(port, indexes, f"knowledge:{team_of(1)}") as listeners:
        for _ in range(FAN_OUTS):
            request = next(_pushes_of_one(1))
            started = time.monotonic() * 1e3
            await ask(reader, writer, request)
            count, first, last, hashes = (await asyncio.to_thread(listeners.told))[1:]
            if (int(count), int(hashes)) != (LISTENERS, 1):
                raise SystemExit(f"{count} sockets were told, {hashes} hashes")
            found.append(FanOut(float(first) - started, float(last) - started))
    writer.close()
    return found


async def _memory(urls: dict[str, str], topic: str, sockets: int) -> tuple[int, float]:
    """Give how many idle sockets stood, and KiB of the service for each."""
    indexes = [FEW + 1 + number // EACH for number in range(sockets)]
    async with running("teams", urls, next(_heads(1))) as (port, process):
        with await asyncio.to_thread(_Listeners, port, indexes[:50], topic):
            await asyncio.sleep(SETTLING)
        before = resident(process.pid)
        with await asyncio.to_thread(_Listeners, port, indexes, topic) as listeners:
            await asyncio.sleep(SETTLING)
            grown = resident(process.pid) - before
            return listeners.standing, grown / listeners.standing / 1024


# Telling.


def _report(
    costs: dict[tuple[str, int], Cost],
    told: list[FanOut],
    idle: list[tuple[int, float]],
    arguments: argparse.Namespace,
) -> None:
    table = Table(("request", "teams", "service us", "PostgreSQL us", "a second"))
    for (what, teams), cost in costs.items():
        figures = (number(teams), number(cost.service), number(cost.database), number(cost.rate))
        table.rows.append((what, *figures))
    last, first = sorted(one.last for one in told), [one.first for one in told]
    (standing, bare), (joined_standing, joined) = idle
    lines = (
        f"told {LISTENERS:,} sockets of one team of a push, {FAN_OUTS} times: the first after "
        f"{statistics.median(first):.0f} ms, the last after {statistics.median(last):.0f} ms "
        f"(medians; the slowest {last[-1]:.0f} ms; target 1,000)",
        f"an idle socket takes {bare:.1f} KiB of the service ({standing:,} open); one that has "
        f"joined {joined:.1f} KiB ({joined_standing:,} open; target 25)",
        "pushes add a line by HTTP, 16 under way; those to one team wait for each other, and read, "
        "write and keep all of its knowledge, which soon has 100 kB",
        f"a turn of an empty loop: {loop_ns():.0f} ns (30 to 40 on an idle machine of today)",
    )
    say("\n" + table.text() + "\n")
    for line in lines:
        say(line)
    if arguments.page:
        bullets = "\n".join(f"- {line}" for line in lines)
        PAGE.write_text(
            f"# What teams cost\n\n`make bench-teams` on {describe()}.\n\n{table.markdown()}\n\n"
            f"{bullets}\n"
        )


if __name__ == "__main__":
    main()
